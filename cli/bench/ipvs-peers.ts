// What the command line's tools do for the services of the proxy's benchmark in IPVS mode: texts for `ipvsadm -R`, `ip -batch` and
// `ipset restore`.
import { serverLines } from '../../kernel/ipvs/text.ts';
import {
  type Amount,
  endpointAddress,
  endpointPort,
  movedAddress,
  serviceAddress,
  servicePort,
} from './proxy-services.ts';

const link = 'kube-ipvs0';
const set = 'KUBE-CLUSTER-IP';

export interface IpvsTexts {
  /** For `ipvsadm -R`. */
  readonly servers: string;
  /** For `ip -batch`: the link and the addresses of the services. */
  readonly addresses: string;
  /** For `ipset restore`: the set of the services. */
  readonly sets: string;
}

export function ipvsTexts(amount: Amount): IpvsTexts {
  const numbers = Array.from({ length: amount.services }, (_, number) => number);
  return {
    servers: text(
      numbers.flatMap((number) =>
        serverLines(
          { ...serverOf(number), scheduler: 'rr', persistentSeconds: undefined, hashesPort: false },
          Array.from({ length: amount.endpoints }, (_, endpoint) => ({
            address: endpointAddress(amount, { service: number, endpoint }),
            port: endpointPort,
            weight: 1,
          })),
        ),
      ),
    ),
    addresses: text([
      `link add ${link} type dummy`,
      ...numbers.map((number) => `address add ${serviceAddress(number)}/32 dev ${link}`),
    ]),
    sets: text([
      `create ${set} hash:ip,port maxelem 65536`,
      ...numbers.map((number) => `add ${set} ${serviceAddress(number)},tcp:${servicePort}`),
    ]),
  };
}

/** For `ipvsadm -R`: the last endpoint of a service goes elsewhere, or back. */
export function ipvsChange(
  number: number,
  { amount, moved }: { readonly amount: Amount; readonly moved: boolean },
): string {
  const server = `-t ${serviceAddress(number)}:${servicePort}`;
  const home = endpointAddress(amount, { service: number, endpoint: amount.endpoints - 1 });
  const away = movedAddress(number);
  const [from, to] = moved ? [home, away] : [away, home];
  return text([`-a ${server} -r ${to}:${endpointPort} -m -w 1`, `-d ${server} -r ${from}:${endpointPort}`]);
}

function serverOf(number: number) {
  return { protocol: 'tcp', address: serviceAddress(number), port: servicePort } as const;
}

function text(lines: readonly string[]): string {
  return `${lines.join('\n')}\n`;
}
