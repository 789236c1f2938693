// The steps of a plan as requests: command, attributes, and what an error calls them. The fake refuses with the same words.
import type { IpvsStep } from './objects.ts';
import { stepObject } from './text.ts';
import {
  type IpvsAttributes,
  type IpvsCommand,
  ipvsCommands,
  realAttributes,
  realIdAttributes,
  serverAttributes,
  serverIdAttributes,
} from './wire.ts';

type StepOf<K extends IpvsStep['kind']> = Extract<IpvsStep, { readonly kind: K }>;

interface Ask<S> {
  readonly operation: string;
  readonly command: IpvsCommand;
  readonly attributes: (step: S) => IpvsAttributes;
}

const asks: { readonly [K in IpvsStep['kind']]: Ask<StepOf<K>> } = {
  'server-add': {
    operation: 'add virtual server',
    command: ipvsCommands.newService,
    attributes: ({ server }) => serverAttributes(server),
  },
  'server-change': {
    operation: 'change virtual server',
    command: ipvsCommands.setService,
    attributes: ({ server }) => serverAttributes(server),
  },
  'server-delete': {
    operation: 'delete virtual server',
    command: ipvsCommands.deleteService,
    attributes: ({ server }) => serverIdAttributes(server),
  },
  'real-add': {
    operation: 'add real server',
    command: ipvsCommands.newDestination,
    attributes: ({ server, real }) => realAttributes(server, real),
  },
  'real-change': {
    operation: 'change real server',
    command: ipvsCommands.setDestination,
    attributes: ({ server, real }) => realAttributes(server, real),
  },
  'real-delete': {
    operation: 'delete real server',
    command: ipvsCommands.deleteDestination,
    attributes: ({ server, real }) => realIdAttributes(server, real),
  },
};

export interface StepRequest {
  readonly operation: string;
  /** "-t 10.96.0.1:80 -s rr". Made when it is asked for: of thousands of steps few fail. */
  readonly object: string;
  readonly command: IpvsCommand;
  attributes(): IpvsAttributes;
}

export function stepRequest(step: IpvsStep): StepRequest {
  // The table has for each kind what takes a step of that kind.
  const { operation, command, attributes } = asks[step.kind] as Ask<IpvsStep>;
  return {
    operation,
    command,
    get object() {
      return stepObject(step);
    },
    attributes: () => attributes(step),
  };
}
