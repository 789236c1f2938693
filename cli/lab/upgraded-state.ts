// The state file of a lab that an older Netloom made, as this one would have written it: version 1 knew IPv4 alone. A lab outlives the
// update of its checkout, and `down`, `check` and `status` must not fail for it.
import { z } from 'zod';

const pod = z.looseObject({ address: z.string().optional() });
const node = z.looseObject({ address: z.string() });

const first = z.looseObject({
  version: z.literal(1),
  podNetwork: z.string(),
  serviceNetwork: z.string(),
  loadBalancerNetwork: z.string(),
  outside: z.looseObject({ gateway: z.string(), internet: z.string() }),
  nodes: z.array(node),
  pods: z.array(pod),
});

/** Anything else than a state of version 1 is returned as it is: whether it is a state is the caller's question. */
export function upgradedState(value: unknown): unknown {
  const { success, data } = first.safeParse(value);
  if (!success) return value;
  const { podNetwork, serviceNetwork, loadBalancerNetwork, outside, nodes, pods, ...rest } = data;
  const { gateway, internet, ...place } = outside;
  return {
    ...rest,
    version: 2,
    networks: [
      {
        family: 4,
        gateway,
        internet,
        pods: podNetwork,
        services: serviceNetwork,
        loadBalancers: loadBalancerNetwork,
      },
    ],
    outside: place,
    nodes: nodes.map(({ address, ...other }) => ({ ...other, addresses: [address] })),
    pods: pods.map(({ address, ...other }) => ({
      ...other,
      addresses: address === undefined ? [] : [address],
    })),
  };
}
