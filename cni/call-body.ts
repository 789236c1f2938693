// A call as bytes, from launcher or plugin to the agent and into the queue of DELs: "NAME=VALUE\0" for each variable, one more
// "\0", then standard input as it came. A value may hold any byte but zero, which no variable can.
import type { PluginInput } from './request.ts';

/** The variables of a call. */
export type CallVariables = Readonly<Record<string, string>>;

/** Names without "=", values without "\0": what an environment can hold. */
export function encodeCall(env: CallVariables, stdin: Uint8Array): Buffer {
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}\0`);
  return Buffer.concat([Buffer.from(`${variables.join('')}\0`), stdin]);
}

/**
 * Undefined for what is no call: an entry that is no variable, a name that is not CNI_*, no end of the variables. The first of a name
 * counts, as for getenv(3). What is no UTF-8 becomes replacement characters, as JSON's decoder in Go does it.
 */
export function decodeCall(body: Buffer): (PluginInput & { readonly env: CallVariables }) | undefined {
  const env = new Map<string, string>();
  for (let at = 0; ; ) {
    const end = body.indexOf(0, at);
    if (end < 0) return undefined;
    const variable = body.toString('utf8', at, end);
    at = end + 1;
    if (variable === '') return { env: Object.fromEntries(env), stdin: body.toString('utf8', at) };
    const split = variable.indexOf('=');
    const name = variable.slice(0, Math.max(split, 0));
    if (!name.startsWith('CNI_')) return undefined;
    if (!env.has(name)) env.set(name, variable.slice(split + 1));
  }
}
