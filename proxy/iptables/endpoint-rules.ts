// The chains that pick an endpoint of one service port and translate to it. What leads to them is service-rules.ts.
import type { Endpoint, ServicePort } from '../service-port.ts';
import { servicePortName } from '../service-port.ts';
import { endpointChain, markMasqueradeChain } from './chain-names.ts';

/** "10.180.0.1:80", "[fd00::1]:80". */
export function endpointText({ address, port }: Pick<Endpoint, 'address' | 'port'>): string {
  return address.family === 4 ? `${address}:${port}` : `[${address}]:${port}`;
}

/** As Go prints it with "%0.10f". */
export function probability(choices: number): string {
  // The one number that lies halfway between two texts: Go rounds it to the even one, JavaScript up.
  return choices === 2048 ? '0.0004882812' : (1 / choices).toFixed(10);
}

export interface EndpointRuleOptions {
  /** False in large clusters: comments are most of these rules' text. */
  readonly comments: boolean;
}

/** Lines of KUBE-SVC or KUBE-SVL that choose among `endpoints`: known clients first. */
export function choosingLines(
  port: ServicePort,
  { endpoints, comments }: EndpointRuleOptions & { readonly endpoints: readonly Endpoint[] },
): readonly string[] {
  const name = servicePortName(port);
  const targets = endpoints.map((endpoint) => {
    const text = endpointText(endpoint);
    return {
      chain: endpointChain(port, text),
      comment: comments ? `-m comment --comment "${name} -> ${text}" ` : '',
    };
  });
  const known =
    port.affinitySeconds === undefined
      ? []
      : targets.map(
          ({ chain, comment }) =>
            `${comment}-m recent --name ${chain} --rcheck --seconds ${port.affinitySeconds} --reap -j ${chain}`,
        );
  const drawn = targets.map(({ chain, comment }, i) => {
    const left = targets.length - i;
    const draw = left === 1 ? '' : `-m statistic --mode random --probability ${probability(left)} `;
    return `${comment}${draw}-j ${chain}`;
  });
  return [...known, ...drawn];
}

/** KUBE-SEP of one endpoint. */
export function endpointChainLines(
  port: ServicePort,
  { endpoint, comments }: EndpointRuleOptions & { readonly endpoint: Endpoint },
): { readonly chain: string; readonly lines: readonly string[] } {
  const text = endpointText(endpoint);
  const chain = endpointChain(port, text);
  const comment = comments ? `-m comment --comment ${servicePortName(port)} ` : '';
  const note = port.affinitySeconds === undefined ? '' : `-m recent --name ${chain} --set `;
  const { protocol } = port;
  return {
    chain,
    lines: [
      // A pod that reaches itself through the service.
      `${comment}-s ${endpoint.address} -j ${markMasqueradeChain}`,
      `${comment}${note}-m ${protocol} -p ${protocol} -j DNAT --to-destination ${text}`,
    ],
  };
}
