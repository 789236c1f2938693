// Sets, entries and steps in the operator's language: as the program `ipset` takes and prints them.
import { entryText, type Ipset, type IpsetEntry, type IpsetStep } from './objects.ts';

/** "KUBE-CLUSTER-IP hash:ip,port family inet maxelem 65536", "KUBE-NODE-PORT-TCP bitmap:port range 0-65535" */
export function ipsetText({ name, type, family, maxElements }: Ipset): string {
  if (type === 'bitmap:port') return `${name} ${type} range 0-65535`;
  const most = maxElements === undefined ? '' : ` maxelem ${maxElements}`;
  return `${name} ${type} family ${family === 4 ? 'inet' : 'inet6'}${most}`;
}

/** "KUBE-CLUSTER-IP 10.96.0.1,tcp:80" */
export function entryOfSetText({ name }: Pick<Ipset, 'name'>, entry: IpsetEntry): string {
  return `${name} ${entryText(entry)}`;
}

/** What the step acts on. */
export function ipsetStepObject(step: IpsetStep): string {
  switch (step.kind) {
    case 'set-create':
      return ipsetText(step.set);
    case 'set-destroy':
      return step.name;
    case 'set-swap':
      return `${step.name} ${step.other}`;
    case 'entry-add':
    case 'entry-delete':
      return entryOfSetText(step.set, step.entry);
    default:
      return step satisfies never;
  }
}

const commands: Readonly<Record<IpsetStep['kind'], string>> = {
  'set-create': 'create',
  'set-destroy': 'destroy',
  'set-swap': 'swap',
  'entry-add': 'add',
  'entry-delete': 'del',
};

/** The step as one command of `ipset` that does the same. */
export function ipsetStepText(step: IpsetStep): string {
  return `ipset ${commands[step.kind]} ${ipsetStepObject(step)}`;
}
