// host-local's "resolvConf": a file in resolv.conf's format whose settings a result carries. Reads that one file.
import { readFileSync, statSync } from 'node:fs';
import { CniError, cniCodes } from '../agent/wiring/cni-error.ts';
import { errorMessage } from '../runtime/error-text.ts';
import type { Dns } from './pod-network.ts';
import { presentDns } from './runtime-config.ts';

/** Bytes; a resolver reads far less. */
const longestFile = 1 << 16;

/** Throws CniError (input and output) for a file that is not there, too long, or none. */
export function readResolvConf(path: string): Dns {
  try {
    const stat = statSync(path);
    if (!stat.isFile()) throw new Error('it is not a file');
    if (stat.size > longestFile) throw new Error(`it has more than ${longestFile} bytes`);
    return parseResolvConf(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new CniError(cniCodes.inputOutput, `Cannot read "ipam.resolvConf" ${JSON.stringify(path)}`, {
      details: errorMessage(cause),
      cause,
    });
  }
}

/** Lines of nameserver, domain, search and options; everything else is passed over. Of several domains the last counts. */
export function parseResolvConf(text: string): Dns {
  const found = { nameservers: [] as string[], domain: '', search: [] as string[], options: [] as string[] };
  for (const line of text.split('\n')) {
    const [keyword = '', ...words] = line.trim().split(/\s+/);
    const [first] = words;
    if (first === undefined) continue;
    if (keyword === 'nameserver') found.nameservers.push(first);
    else if (keyword === 'domain') found.domain = first;
    else if (keyword === 'search') found.search.push(...words);
    else if (keyword === 'options') found.options.push(...words);
  }
  return presentDns(found);
}
