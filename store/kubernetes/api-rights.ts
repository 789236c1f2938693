// What Netloom's programs ask of the API, and nothing else (docs/kubernetes-store.md, deploy/netloom.yml): the doctor looks whether they may.

export interface ApiRight {
  readonly verb: 'get' | 'list' | 'watch' | 'patch' | 'create';
  readonly group: '' | 'discovery.k8s.io';
  readonly resource: 'nodes' | 'events' | 'services' | 'endpointslices';
  readonly subresource?: 'status';
  /** Where there is one only. */
  readonly namespace?: string;
  /** Without it Netloom goes on. */
  readonly isBearable?: boolean;
}

export const agentRights: readonly ApiRight[] = [
  { verb: 'get', group: '', resource: 'nodes' },
  { verb: 'list', group: '', resource: 'nodes' },
  { verb: 'watch', group: '', resource: 'nodes' },
  { verb: 'patch', group: '', resource: 'nodes', subresource: 'status' },
  { verb: 'create', group: '', resource: 'events', namespace: 'default', isBearable: true },
];

export const proxyRights: readonly ApiRight[] = [
  { verb: 'list', group: '', resource: 'nodes' },
  { verb: 'watch', group: '', resource: 'nodes' },
  { verb: 'list', group: '', resource: 'services' },
  { verb: 'watch', group: '', resource: 'services' },
  { verb: 'list', group: 'discovery.k8s.io', resource: 'endpointslices' },
  { verb: 'watch', group: 'discovery.k8s.io', resource: 'endpointslices' },
];

/** "patch nodes/status". */
export function rightName({ verb, resource, subresource }: ApiRight): string {
  return `${verb} ${resource}${subresource === undefined ? '' : `/${subresource}`}`;
}
