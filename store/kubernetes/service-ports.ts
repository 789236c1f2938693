// The ports of a Service. One that is wrong is noted and left out: its neighbours live.
import type { PortOfService, Service } from '../service.ts';
import { quote } from '../store-error.ts';
import type { ObjectFields } from './object-fields.ts';
import { portName, portProtocol, portRange } from './port-fields.ts';

export function servicePorts(spec: ObjectFields, { type }: Pick<Service, 'type'>): readonly PortOfService[] {
  if (type === 'ExternalName') return [];
  const ports: PortOfService[] = [];
  const all = spec.children('ports');
  const taken = new Set<string>();
  const takes = (what: string) => taken.size < taken.add(what).size;
  for (const fields of all) {
    const before = fields.notes.length;
    const name = portName(fields);
    const protocol = portProtocol(fields);
    if (fields.get('port') === undefined) fields.note('port', 'is missing');
    const port = fields.whole('port', portRange);
    if (name === '' && all.length > 1) {
      fields.note('name', 'is missing; of several ports each needs one');
    }
    if (fields.notes.length === before) {
      if (!takes(`name ${name}`)) fields.note('name', `${quote(name)} is given twice`);
      else if (!takes(`port ${protocol} ${port}`)) {
        fields.note('port', `${port} is given twice for ${protocol?.toUpperCase()}`);
      }
    }
    if (fields.followUp(before, 'the port is left out')) continue;
    if (protocol === undefined || port === undefined) continue;
    const nodePort = nodePortOf(fields, { type });
    const isFree = nodePort === undefined || takes(`node port ${protocol} ${nodePort}`);
    if (!isFree) fields.note('nodePort', `${nodePort} is given twice; the port has no node port`);
    ports.push({ name, protocol, port, nodePort: isFree ? nodePort : undefined });
  }
  return ports;
}

function nodePortOf(fields: ObjectFields, { type }: Pick<Service, 'type'>): number | undefined {
  const value = fields.get('nodePort');
  if (value === undefined || value === 0) {
    if (type === 'NodePort') fields.note('nodePort', 'is missing; nothing here allocates one');
    return undefined;
  }
  const before = fields.notes.length;
  const nodePort = fields.whole('nodePort', portRange);
  if (type === 'ClusterIP') fields.note('nodePort', `${quote(value)} is for type NodePort or LoadBalancer`);
  return fields.followUp(before, 'the port has no node port') ? undefined : nodePort;
}
