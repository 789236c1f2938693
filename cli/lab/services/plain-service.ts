// A Service object from the few words of `lab service add`. Pure.
import { endpointPort } from '../endpoint-port.ts';
import type { IpFamily, IpFamilyPolicy } from './service-manifest.ts';

export interface PlainService {
  readonly name: string;
  readonly namespace: string;
  /** "80" or "80:8080", the second the pods' port. */
  readonly port: readonly string[];
  /** The pods; undefined: all pods of the lab that have their usual label. */
  readonly selector?: Readonly<Record<string, string>> | undefined;
  readonly type: 'ClusterIP' | 'NodePort' | 'LoadBalancer';
  readonly protocol: 'tcp' | 'udp';
  /** Seconds. */
  readonly affinity?: number | undefined;
  readonly externalPolicy: 'Cluster' | 'Local';
  readonly internalPolicy: 'Cluster' | 'Local';
  readonly sourceRange: readonly string[];
  /** Undefined, or none: what an API server takes. */
  readonly ipFamilyPolicy?: IpFamilyPolicy | undefined;
  readonly ipFamily: readonly IpFamily[];
}

/** Throws SyntaxError for a port that is none. */
export function plainService(service: PlainService): unknown {
  const { name, namespace, type, affinity, sourceRange, ipFamilyPolicy, ipFamily } = service;
  const several = service.port.length > 1;
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { name, namespace, creationTimestamp: new Date().toISOString() },
    spec: {
      type,
      selector: service.selector ?? { app: 'echo' },
      ports: service.port.map((text) => {
        const { port, targetPort } = parsePort(text);
        return {
          ...(several ? { name: `p${port}` } : {}),
          protocol: service.protocol.toUpperCase(),
          port,
          targetPort,
        };
      }),
      ...(affinity === undefined
        ? {}
        : { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: affinity } } }),
      internalTrafficPolicy: service.internalPolicy,
      ...(type === 'ClusterIP' ? {} : { externalTrafficPolicy: service.externalPolicy }),
      ...(sourceRange.length === 0 ? {} : { loadBalancerSourceRanges: sourceRange }),
      ...(ipFamilyPolicy === undefined ? {} : { ipFamilyPolicy }),
      ...(ipFamily.length === 0 ? {} : { ipFamilies: ipFamily }),
    },
  };
}

function parsePort(text: string): { readonly port: number; readonly targetPort: number } {
  const [, port, target] = /^(\d{1,5})(?::(\d{1,5}))?$/.exec(text) ?? [];
  const numbers = { port: Number(port), targetPort: target === undefined ? endpointPort : Number(target) };
  if (Object.values(numbers).every((one) => one >= 1 && one <= 65_535)) return numbers;
  throw new SyntaxError(`Cannot use port "${text}": want 80, or 80:8080 for another port of the pods`);
}
