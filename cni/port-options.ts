// Published ports: those that the runtime asks for, and how portmap's keys of the configuration want them carried.

import { z } from 'zod';
import { type PortMapping, ruleBackends } from '../agent/wiring/pod-rules.ts';
import { type Transport, transports } from '../net/transport.ts';
import { invalidValue, joinPath, parsePart, unsupportedValue } from './config-error.ts';
import { goObject, optionalAddress } from './config-shape.ts';
import type { PortOptions } from './pod-network.ts';

const port = z.int().min(1).max(65535);

const mapping = goObject({
  hostPort: z.int().min(0).max(65535).default(0),
  containerPort: port,
  protocol: z.string().default(''),
  hostIP: optionalAddress,
});
const mappings = z.array(mapping);

/**
 * `value` is a list of {hostPort, containerPort, protocol, hostIP}; entries without a port of the host ask for nothing. Throws
 * CniError that names the key within `path` and quotes its value.
 */
export function readPortMappings(value: unknown, path: string): readonly PortMapping[] {
  const seen = new Set<string>();
  return parsePart(mappings, value, path).flatMap(({ hostPort, containerPort, protocol, hostIP }, index) => {
    const at = joinPath(path, index);
    const known = protocolOf(protocol, joinPath(at, 'protocol'));
    if (hostPort === 0) return [];
    const hostIp = hostIP?.isUnspecified === true ? undefined : hostIP;
    const key = `${known} ${hostIp ?? ''} ${hostPort}`;
    if (seen.has(key)) throw invalidValue(joinPath(at, 'hostPort'), hostPort, 'is in the list before');
    seen.add(key);
    return [{ protocol: known, hostPort, containerPort, ...(hostIp === undefined ? {} : { hostIp }) }];
  });
}

function protocolOf(text: string, path: string): Transport {
  const lower = text === '' ? 'tcp' : text.toLowerCase();
  const found = transports.find((name) => name === lower);
  if (found === undefined) throw invalidValue(path, text, `want one of ${transports.join(', ')}`);
  return found;
}

const backend = z.enum(['', ...ruleBackends]).default('');

const shape = goObject({
  snat: z.boolean().default(true),
  masqAll: z.boolean().default(false),
  backend,
  ipMasqBackend: backend,
  conditionsV4: z.array(z.unknown()).default([]),
  conditionsV6: z.array(z.unknown()).default([]),
  externalSetMarkChain: z.string().default(''),
});

/** Throws CniError that names the key and quotes its value. */
export function readPortOptions(value: unknown): Omit<PortOptions, 'mappings'> {
  const found = parsePart(shape, value);
  for (const key of ['conditionsV4', 'conditionsV6'] as const) {
    if (found[key].length > 0)
      throw unsupportedValue(
        key,
        found[key],
        'rules come from parsed values only, never from text of a configuration',
      );
  }
  const { externalSetMarkChain } = found;
  if (externalSetMarkChain !== '') {
    throw unsupportedValue(
      'externalSetMarkChain',
      externalSetMarkChain,
      'what is to be masqueraded is told from its addresses, not by a mark',
    );
  }
  if (found.backend !== '' && found.ipMasqBackend !== '' && found.backend !== found.ipMasqBackend)
    throw invalidValue(
      'ipMasqBackend',
      found.ipMasqBackend,
      `"backend" is "${found.backend}"; both must be the same`,
    );
  return {
    backend: found.backend || found.ipMasqBackend || 'nftables',
    masquerade: found.snat ? (found.masqAll ? 'all' : 'needed') : 'none',
  };
}
