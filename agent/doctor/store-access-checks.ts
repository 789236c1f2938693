// The check of what stands between a node and its store behind a network: servers, certificates, users, rights, and what must be there. Pure.
import type { AccessFault, AccessFaultKind, StoreAccess } from '../../store/store-access.ts';
import type { Finding } from './finding.ts';
import type { NodeFacts } from './node-facts.ts';

type Words = Pick<Finding, 'finding' | 'remedy'>;

const cutOff = 'the node keeps what it has, and hears of no change';

/** By the store, and by what is wrong. */
const words: Readonly<Record<StoreAccess['kind'], Readonly<Record<AccessFaultKind, Words>>>> = {
  etcd: {
    unreachable: {
      finding: `etcd does not answer: ${cutOff}`,
      remedy: 'see that it runs, that no firewall is between, and that --etcd-endpoints names its members',
    },
    distrusted: {
      finding: `etcd and this node do not believe each other’s certificates: ${cutOff}`,
      remedy:
        'see --etcd-cafile (who signed etcd’s certificate), --etcd-certfile and --etcd-keyfile (what etcd asks of its clients), and that its certificate is for the host that --etcd-endpoints names',
    },
    stranger: {
      finding: `etcd does not take us for a user of its own: ${cutOff}`,
      remedy: 'see --etcd-username and --etcd-password-file; "etcdctl user list" shows its users',
    },
    denied: {
      finding: 'our user of etcd has not the rights that this node needs',
      remedy:
        'run "etcdctl role grant-permission ROLE --prefix=true readwrite PREFIX/" for a role of the user (to read services, "read" is enough)',
    },
    leaderless: {
      finding: `the members of etcd have no quorum, or it takes them too long: ${cutOff}`,
      remedy:
        'see "etcdctl endpoint status --cluster": most of the members must run, reach each other, and write to their disks in time',
    },
    full: {
      finding: 'etcd’s database is full: leases can be read, and not renewed',
      remedy: 'compact and defragment it, then run "etcdctl alarm disarm"; see --quota-backend-bytes',
    },
    'no-config': {
      finding: 'there is no configuration of the network',
      remedy: `write it: etcdctl put PREFIX/config '{"Network":"10.244.0.0/16","Backend":{"Type":"vxlan"}}'; see --etcd-prefix`,
    },
    'bad-config': {
      finding:
        'the configuration of the network cannot be used: nodes keep the last good one, new ones get none',
      remedy: 'mend the key that is named',
    },
    'no-node': { finding: 'there is no such node', remedy: 'see --node-name' },
    'no-network': { finding: 'the node has no pod network', remedy: 'see the configuration of the network' },
  },
  kubernetes: {
    unreachable: {
      finding: `the API server does not answer: ${cutOff}`,
      remedy:
        'see that it runs and that no firewall is between; its address is in --kubeconfig-file, --kube-api-url or, in a pod, KUBERNETES_SERVICE_HOST, which needs a service proxy to be reached',
    },
    distrusted: {
      finding: `the API server’s certificate is not believed here, or ours there: ${cutOff}`,
      remedy:
        'see certificate-authority and server in the kubeconfig: the CA must have signed the server’s certificate, and that be for this host; then client-certificate and client-key',
    },
    stranger: {
      finding: `the API server does not know who we are, or there is nothing to show: ${cutOff}`,
      remedy:
        'see user in the kubeconfig (its token or certificate may have ended), or in a pod the mounted token of the service account',
    },
    denied: {
      finding: 'we may not do something that the node needs',
      remedy:
        'apply ClusterRole, Role and their bindings of deploy/netloom.yml, or see docs/kubernetes-store.md',
    },
    leaderless: { finding: `the API server cannot decide: ${cutOff}`, remedy: 'see its etcd' },
    full: { finding: 'the API server takes no more writes', remedy: 'see its etcd' },
    'no-config': {
      finding: 'there is no configuration of the network',
      remedy:
        'mount ConfigMap kube-flannel-cfg, or that of deploy/netloom.yml, and name its file with --net-config-path',
    },
    'bad-config': {
      finding:
        'the configuration of the network cannot be used: nodes keep the last good one, new ones get none',
      remedy: 'mend net-conf.json in its ConfigMap',
    },
    'no-node': {
      finding: 'there is no Node object of this node’s name',
      remedy:
        'see "kubectl get nodes": kubelet makes it; --node-name must be its name, in a DaemonSet NETLOOM_NODE_NAME from spec.nodeName',
    },
    'no-network': {
      finding: 'the Node object has no pod network that fits the configuration',
      remedy:
        'let kube-controller-manager give networks (--allocate-node-cidrs, --cluster-cidr), inside of Network in net-conf.json',
    },
  },
};

export function storeAccess({ surroundings: { store } }: NodeFacts): readonly Finding[] {
  const findings = store.access.flatMap(({ kind, faults }) =>
    faults.map((fault) => findingOf(words[kind], fault)),
  );
  // Leases and services mostly come from one server.
  return [...new Map(findings.map((one) => [`${one.finding} ${one.object}`, one])).values()];
}

function findingOf(
  of: Readonly<Record<AccessFaultKind, Words>>,
  { kind, object, evidence, isBearable }: AccessFault,
): Finding {
  const bearable = kind === 'denied' ? 'hint' : 'warning';
  return {
    check: 'store-access',
    severity: isBearable ? bearable : 'error',
    object,
    ...of[kind],
    ...(isBearable ? bearableWords(of[kind]) : {}),
    evidence,
  };
}

/** One of several, or something that is only nice to have: the node is not cut off. */
function bearableWords({ finding }: Words): Pick<Finding, 'finding'> {
  return {
    finding: finding.replace(`: ${cutOff}`, ': others do in its place').replace('needs', 'would use'),
  };
}
