// From the configured backend to the functions that run it. The one place that knows which backends there are.
import type { NetworkConfig } from '../../store/network-config.ts';
import type { Underlay } from '../underlay.ts';
import type { Advertisement, BackendInput, BackendPlan, DeviceMacs } from './backend.ts';
import { advertiseHostGw, planHostGw, whyNotHostGw } from './host-gw.ts';
import { advertiseVxlan, planVxlan, whyNotVxlan } from './vxlan.ts';

export interface AdvertiseInput {
  readonly config: NetworkConfig;
  readonly underlay: Underlay;
  readonly macs: DeviceMacs;
}

/** Why the configured backend cannot run on this node; undefined when it can. */
export function whyNotBackend(config: NetworkConfig, underlay: Underlay): string | undefined {
  const { backend } = config;
  switch (backend.kind) {
    case 'vxlan':
      return whyNotVxlan(backend, config);
    case 'host-gw':
      return whyNotHostGw(underlay);
    case 'opaque':
      return `Cannot run backend ${JSON.stringify(backend.type)}: "vxlan" and "host-gw" are supported`;
    default:
      return backend satisfies never;
  }
}

/** What this node tells the others. */
export function advertise({ config, underlay, macs }: AdvertiseInput): Advertisement {
  const { backend } = config;
  switch (backend.kind) {
    case 'vxlan':
      return advertiseVxlan({ network: config, config: backend, underlay, macs });
    case 'host-gw':
      return advertiseHostGw(underlay);
    case 'opaque':
      throw new RangeError(`Cannot advertise backend "${backend.type}": it is not supported`);
    default:
      return backend satisfies never;
  }
}

export function planBackend(input: BackendInput): BackendPlan {
  const { backend } = input.config;
  switch (backend.kind) {
    case 'vxlan':
      return planVxlan({ ...input, vxlan: backend });
    case 'host-gw':
      return planHostGw(input);
    case 'opaque':
      throw new RangeError(`Cannot plan backend "${backend.type}": it is not supported`);
    default:
      return backend satisfies never;
  }
}
