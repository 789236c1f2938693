// Finds the service ports that iptables refuses, so that the others can be programmed: one that the program named, or else by halving.
// How rules are programmed is the caller's.

/** A text was refused. Thrown by an attempt. */
export class Refusal extends Error {
  /** Key of the port whose line the program complained about. */
  readonly port: string | undefined;
  /** Keys of the ports that the text was about. */
  readonly suspects: readonly string[];

  constructor(
    cause: Error,
    detail: { readonly port: string | undefined; readonly suspects: readonly string[] },
  ) {
    super(cause.message, { cause });
    this.name = 'Refusal';
    this.port = detail.port;
    this.suspects = detail.suspects;
  }
}

/** Each costs a look and a load of everything that differs. */
const mostAttempts = 40;

/**
 * `attempt` programs everything but the ports held back, or throws Refusal. Resolves with the ports that had to be held back; when many
 * are refused and the attempts are used up, good ones may be among them. Throws what refuses it when it is no port's fault.
 */
export async function holdRefused(
  attempt: (held: ReadonlySet<string>) => Promise<void>,
): Promise<ReadonlyMap<string, Error>> {
  const held = new Map<string, Error>();
  let left = mostAttempts;

  async function run(): Promise<Refusal | undefined> {
    left -= 1;
    try {
      await attempt(new Set(held.keys()));
      return undefined;
    } catch (error) {
      if (error instanceof Refusal) return error;
      throw error;
    }
  }

  /** Tries to let them in; those that are refused stay held. */
  async function letIn(ports: readonly string[]): Promise<void> {
    if (ports.length === 0 || left <= 1) return;
    for (const port of ports) held.delete(port);
    const refusal = await run();
    if (refusal === undefined) return;
    for (const port of ports) held.set(port, refusal);
    if (ports.length === 1) return;
    const middle = ports.length >> 1;
    await letIn(ports.slice(0, middle));
    await letIn(ports.slice(middle));
  }

  let refusal = await run();
  while (refusal?.port !== undefined && !held.has(refusal.port) && left > 1) {
    held.set(refusal.port, refusal);
    refusal = await run();
  }
  if (refusal === undefined) return held;
  const suspects = refusal.suspects.filter((port) => !held.has(port));
  for (const port of suspects) held.set(port, refusal);
  const withoutThem = suspects.length === 0 ? refusal : await run();
  if (withoutThem !== undefined) throw withoutThem.cause;
  const middle = suspects.length >> 1;
  await letIn(suspects.slice(0, middle));
  await letIn(suspects.slice(middle));
  // The last attempt may have failed half way.
  const last = await run();
  if (last !== undefined) throw last.cause;
  return held;
}
