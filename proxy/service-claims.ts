// Who gets which address and node port: what each service of a family claims, and what it has of that beside the others. A cluster IP goes
// before the same address as somebody's external or balancer address, whoever was first: nobody may catch another service's traffic.
import type { IpAddress } from '../net/address.ts';
import { type Transport, transports } from '../net/transport.ts';
import { type Claimant, type ClaimKey, createClaims } from './address-claims.ts';
import { nodePortOf, type ServiceInFamily } from './service-in-family.ts';
import type { ServicePort } from './service-port.ts';

/** What a port has of what it claims. */
export interface Held extends Pick<ServicePort, 'nodePort' | 'externalIps' | 'loadBalancerIps'> {
  /** False: the port has no address of its own to be known by, and is not served at all. */
  readonly clusterIp: boolean;
  /** What it does not get, and who has it, in words that begin with the field. */
  readonly lost: readonly string[];
}

/** Every call costs the same however many services there are. */
export interface ServiceClaims {
  add(service: ServiceInFamily): void;
  /** Takes back what `add` claimed for the same value. */
  remove(service: ServiceInFamily): void;
  /** Of the service's port with this index. */
  held(service: ServiceInFamily, index: number): Held;
  /** The holder's words where another has the port, otherwise undefined. */
  lostHealthCheckNodePort(service: ServiceInFamily): string | undefined;
  /** Names of services that may hold something else since it was last asked. */
  takeAffected(): ReadonlySet<string>;
}

const nothingLost: readonly string[] = [];

/**
 * A port that loses its cluster IP keeps its other claims: what one service loses never depends on what another lost, so the order in which
 * services come and go does not matter.
 */
export function createServiceClaims(): ServiceClaims {
  const clusterIps = createClaims();
  const virtualIps = createClaims();
  const nodePorts = createClaims();

  const forEachClaim = (
    { name, service, clusterIp, loadBalancerIps, externalIps, healthCheckNodePort }: ServiceInFamily,
    act: (claims: typeof nodePorts, key: ClaimKey, by: Claimant) => void,
  ) => {
    const { createdAt } = service;
    service.ports.forEach((port, index) => {
      const by = { service: name, createdAt, index };
      const { protocol } = port;
      const clusterKey = addressKey(clusterIp, { protocol, port: port.port });
      act(clusterIps, clusterKey, by);
      // Who wants the address as a virtual one loses or gets it by this.
      virtualIps.touch(clusterKey);
      for (const ip of loadBalancerIps) act(virtualIps, addressKey(ip, { protocol, port: port.port }), by);
      for (const ip of externalIps) act(virtualIps, addressKey(ip, { protocol, port: port.port }), by);
      const nodePort = nodePortOf(service, port);
      if (nodePort !== undefined) act(nodePorts, nodePortKey(protocol, nodePort), by);
    });
    if (healthCheckNodePort === undefined) return;
    act(nodePorts, nodePortKey('tcp', healthCheckNodePort), {
      service: name,
      createdAt,
      index: service.ports.length,
    });
  };

  return {
    add: (service) => forEachClaim(service, (claims, key, by) => claims.claim(key, by)),
    remove: (service) => forEachClaim(service, (claims, key, by) => claims.release(key, by)),

    held(of, index) {
      const { name, service, clusterIp, loadBalancerIps, externalIps } = of;
      const port = service.ports[index];
      if (port === undefined) throw new RangeError(`Cannot look up port ${index} of "${name}": it has fewer`);
      const lost: string[] = [];
      const isLost = (holder: Claimant | undefined, what: string) => {
        if (holder === undefined || (holder.service === name && holder.index === index)) return false;
        lost.push(`${what} is left out: ${wordsOf(holder, name)} has it`);
        return true;
      };
      const withPort = (ip: IpAddress) => `${ip} port ${port.port}/${port.protocol}`;
      const virtual = (ips: readonly IpAddress[], field: string) => {
        if (ips.length === 0) return ips;
        return ips.filter((ip) => {
          const key = addressKey(ip, port);
          return !isLost(clusterIps.holder(key) ?? virtualIps.holder(key), `${field}: ${withPort(ip)}`);
        });
      };
      const cluster = clusterIps.contested === 0 ? undefined : clusterIps.holder(addressKey(clusterIp, port));
      const isServed =
        cluster === undefined ||
        !isLost(cluster, `clusterIP: ${withPort(clusterIp)}, and with it this port of the service,`);
      const wanted = nodePortOf(service, port);
      const hasNodePort =
        wanted !== undefined &&
        !isLost(nodePorts.holder(nodePortKey(port.protocol, wanted)), `nodePort: ${wanted}/${port.protocol}`);
      return {
        clusterIp: isServed,
        loadBalancerIps: virtual(loadBalancerIps, 'status.loadBalancer'),
        externalIps: virtual(externalIps, 'externalIPs'),
        nodePort: hasNodePort ? wanted : undefined,
        lost: lost.length === 0 ? nothingLost : lost,
      };
    },

    lostHealthCheckNodePort({ name, service, healthCheckNodePort }) {
      if (healthCheckNodePort === undefined) return undefined;
      const holder = nodePorts.holder(nodePortKey('tcp', healthCheckNodePort));
      if (holder === undefined || (holder.service === name && holder.index === service.ports.length)) {
        return undefined;
      }
      return `healthCheckNodePort: ${healthCheckNodePort} is left out: ${wordsOf(holder, name)} has it`;
    },

    takeAffected() {
      const affected = [clusterIps, virtualIps, nodePorts].map((claims) => claims.takeAffected());
      return new Set(affected.flatMap((services) => [...services]));
    },
  };
}

function wordsOf(holder: Claimant, me: string): string {
  return holder.service === me ? 'another port of this service' : `Service "${holder.service}"`;
}

/** IPv4 in 50 bits, which a number holds exactly: address, protocol, port. */
function addressKey(
  address: IpAddress,
  { protocol, port }: { readonly protocol: Transport; readonly port: number },
): ClaimKey {
  if (address.family === 6) return `${address} ${protocol} ${port}`;
  const [a = 0, b = 0, c = 0, d = 0] = address.bytes;
  return (((a * 256 + b) * 256 + c) * 256 + d) * 2 ** 18 + nodePortKey(protocol, port);
}

function nodePortKey(protocol: Transport, port: number): number {
  return transports.indexOf(protocol) * 2 ** 16 + port;
}
