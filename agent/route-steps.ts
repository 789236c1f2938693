// Which object a step of rtnetlink is about, and of which kind. Steps are made and executed in the kernel folder.
import {
  addressKey,
  fdbKey,
  linkKey,
  neighbourKey,
  portKey,
  type RouteState,
  routeKey,
  ruleKey,
} from '../kernel/route/objects.ts';
import type { RouteStep } from '../kernel/route/step.ts';

export type ObjectKind = 'link' | 'port' | 'address' | 'neighbour' | 'fdb' | 'route' | 'rule';

/** The map of a state that holds the objects of each kind. */
export const mapOfKind = {
  link: 'links',
  port: 'ports',
  address: 'addresses',
  neighbour: 'neighbours',
  fdb: 'fdb',
  route: 'routes',
  rule: 'rules',
} as const satisfies Readonly<Record<ObjectKind, keyof RouteState>>;

export interface StepSubject {
  readonly kind: ObjectKind;
  /** As the state's map has it. */
  readonly key: string;
}

export function stepSubject(step: RouteStep): StepSubject {
  switch (step.kind) {
    case 'link-add':
    case 'link-set':
    case 'link-delete':
      return { kind: 'link', key: linkKey(step.link) };
    case 'port-set':
      return { kind: 'port', key: portKey(step.port) };
    case 'vlan-set':
    case 'vlan-delete':
      return { kind: 'port', key: portKey(step) };
    case 'address-add':
    case 'address-delete':
      return { kind: 'address', key: addressKey(step.address) };
    case 'neighbour-set':
    case 'neighbour-delete':
      return { kind: 'neighbour', key: neighbourKey(step.neighbour) };
    case 'fdb-set':
    case 'fdb-delete':
      return { kind: 'fdb', key: fdbKey(step.entry) };
    case 'route-set':
    case 'route-delete':
      return { kind: 'route', key: routeKey(step.route) };
    case 'rule-add':
    case 'rule-delete':
      return { kind: 'rule', key: ruleKey(step.rule) };
    default:
      return step satisfies never;
  }
}

/** "route 254 10.1.2.0/24 0": the name under which an object fails and is retried. */
export function subjectName({ kind, key }: StepSubject): string {
  return `${kind} ${key}`;
}
