// What the ports of Services, EndpointSlices and Endpoints have in common: a name, a protocol, a number. One that is wrong is left out.
import { type Transport, transports } from '../../net/transport.ts';
import { quote } from '../store-error.ts';
import { isDnsLabel } from './dns-name.ts';
import type { ObjectFields } from './object-fields.ts';

export const portRange = { least: 1, most: 65535 } as const;

export interface NamedPort {
  /** Empty where there is none. */
  readonly name: string;
  readonly protocol: Transport;
  readonly port: number;
}

export function portName(fields: ObjectFields): string {
  const name = fields.text('name') ?? '';
  if (name !== '' && !isDnsLabel(name)) fields.note('name', `${quote(name)} is not a DNS label`);
  return name;
}

/** TCP where none is given, as the API server fills in. Undefined for another, which is noted. */
export function portProtocol(fields: ObjectFields): Transport | undefined {
  const text = fields.text('protocol') ?? 'TCP';
  const protocol = transports.find((transport) => transport.toUpperCase() === text);
  if (protocol === undefined) fields.note('protocol', `want "TCP", "UDP" or "SCTP", not ${quote(text)}`);
  return protocol;
}

/** The ports of a slice or of a subset of an Endpoints object. */
export function endpointPorts(owner: ObjectFields): readonly NamedPort[] {
  const ports: NamedPort[] = [];
  const names = new Set<string>();
  for (const fields of owner.children('ports')) {
    const before = fields.notes.length;
    const name = portName(fields);
    const protocol = portProtocol(fields);
    if (fields.get('port') === undefined) {
      fields.note('port', 'is missing, and "all ports" is not supported');
    }
    const port = fields.whole('port', portRange);
    if (names.has(name)) fields.note('name', `${quote(name)} is given twice`);
    if (fields.followUp(before, 'the port is left out')) continue;
    if (protocol === undefined || port === undefined) continue;
    names.add(name);
    ports.push({ name, protocol, port });
  }
  return ports;
}
