// Whether the API server can be used as we mean to: it answers, it knows us, each right that we need is given, and our Node has a network.
// Rights are asked for by reviews, which everybody may make; where that was taken away, by requests that change nothing.
import type { LeaseStoreChoice } from '../open-lease-store.ts';
import type { AccessFault, AccessFaultKind, StoreAccess } from '../store-access.ts';
import { isStoreError } from '../store-error.ts';
import { type ApiError, isApiError } from './api/api-error.ts';
import { KubeClient } from './api/kube-client.ts';
import { type OpenAccessOptions, openAccess } from './api/open-access.ts';
import { type ApiRight, agentRights, proxyRights, rightName } from './api-rights.ts';
import { NetworkConfigFile } from './network-config-file.ts';
import { nodeObject, nodeSubnets } from './node-lease.ts';
import { parseNode } from './parse-node.ts';

/** A server that says nothing for so long does not answer an operator who waits. */
const silenceMs = 5000;

export interface ProbeKubernetesOptions {
  readonly access: OpenAccessOptions;
  readonly node: string;
  /** The agent's; undefined: what the proxy needs is asked for. */
  readonly leases?: Extract<LeaseStoreChoice, { readonly kind: 'kubernetes' }>;
  readonly signal: AbortSignal;
}

interface Asking {
  readonly client: KubeClient;
  readonly node: string;
  readonly signal: AbortSignal;
}

export async function probeKubernetes(options: ProbeKubernetesOptions): Promise<StoreAccess> {
  const { access, node, leases, signal } = options;
  const answer = (faults: readonly AccessFault[]): StoreAccess => ({ kind: 'kubernetes', faults });
  let client: KubeClient;
  try {
    client = new KubeClient({
      access: await openAccess(access),
      userAgent: 'netloom-doctor',
      silenceMs,
    });
  } catch (error) {
    if (!isStoreError(error)) throw error;
    return answer([faultAbout('stranger', error.object, error.message)]);
  }
  const asking: Asking = { client, node, signal };
  try {
    const barrier = await whyNotKnown(asking);
    if (barrier !== undefined) return answer([barrier]);
    const rights = leases === undefined ? proxyRights : agentRights;
    const denied = (await Promise.all(rights.map((right) => whyDenied(asking, right)))).flat();
    const mayGet = !denied.some(({ object }) => object === 'get nodes');
    const own = leases === undefined ? [] : await whyNoLease(asking, { leases, mayGet });
    return answer([...denied, ...own]);
  } finally {
    client.close();
  }
}

/** Undefined: the server answers, and knows us as somebody. */
async function whyNotKnown({ client, signal }: Asking): Promise<AccessFault | undefined> {
  try {
    // Everybody may ask for it, and only who shows something wrong is turned away.
    await client.text({ path: '/version', signal });
    return undefined;
  } catch (error) {
    signal.throwIfAborted();
    if (!isStoreError(error)) throw error;
    if (!isApiError(error)) return faultAbout('stranger', error.object, error.message);
    // It may hide its version from us: rights are asked for next.
    if (error.status === 403 || error.status === 404) return undefined;
    return faultAbout(kindOf(error), client.server, error.message);
  }
}

function kindOf({ status, cause }: ApiError): AccessFaultKind {
  if (status === 401) return 'stranger';
  const { code, message } = Object(cause);
  const isTls = /CERT|TLS|SSL|EPROTO|SIGNATURE/.test(String(code)) || /certificate|SSL/.test(String(message));
  return status === 0 && isTls ? 'distrusted' : 'unreachable';
}

async function whyDenied(asking: Asking, right: ApiRight): Promise<readonly AccessFault[]> {
  const { client, signal } = asking;
  const name = rightName(right);
  let why: string | undefined;
  try {
    why = (await isAllowed(asking, right)) ? undefined : 'its rules of RBAC do not allow it';
  } catch (error) {
    signal.throwIfAborted();
    if (!isApiError(error)) throw error;
    why = await whyRefused(asking, right);
  }
  if (why === undefined) return [];
  return [
    {
      ...faultAbout('denied', name, `${client.server}: ${why}`),
      isBearable: right.isBearable ?? false,
    },
  ];
}

async function isAllowed({ client, signal }: Asking, right: ApiRight): Promise<boolean> {
  const { verb, group, resource, subresource, namespace } = right;
  const resourceAttributes = { verb, group, resource, subresource, namespace };
  const answer: unknown = await client.json({
    method: 'POST',
    path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
    body: {
      apiVersion: 'authorization.k8s.io/v1',
      kind: 'SelfSubjectAccessReview',
      spec: { resourceAttributes },
    },
    signal,
  });
  return Object(Object(answer).status).allowed === true;
}

/** Asks for the thing itself, of our own Node and without changing anything; undefined: it is allowed. */
async function whyRefused(asking: Asking, right: ApiRight): Promise<string | undefined> {
  try {
    await tryRight(asking, right);
    return undefined;
  } catch (error) {
    asking.signal.throwIfAborted();
    if (!isApiError(error)) throw error;
    // What is not there, or not right, was looked at: we may.
    return error.status === 403 || error.status === 401 || error.status === 0 ? error.message : undefined;
  }
}

async function tryRight({ client, node, signal }: Asking, right: ApiRight): Promise<void> {
  const { verb, group, resource, subresource, namespace } = right;
  const base = `${group === '' ? '/api' : `/apis/${group}`}/v1`;
  const all = `${base}${namespace === undefined ? '' : `/namespaces/${namespace}`}/${resource}`;
  const one = [all, node, ...(subresource === undefined ? [] : [subresource])].join('/');
  const dryRun = 'All';
  switch (verb) {
    case 'get':
      return void (await client.text({ path: one, signal }));
    case 'list':
      return void (await client.text({ path: all, query: { limit: '1' }, signal }));
    case 'watch': {
      const query = { watch: '1', fieldSelector: `metadata.name=${node}`, timeoutSeconds: '1' };
      // That it begins is enough; it ends with the client.
      return void (await client.watch({ path: all, query, silenceMs, signal }));
    }
    case 'patch':
      return void (await client.text({
        method: 'PATCH',
        path: one,
        query: { dryRun },
        contentType: 'application/merge-patch+json',
        body: {},
        signal,
      }));
    case 'create':
      return void (await client.text({
        method: 'POST',
        path: all,
        query: { dryRun },
        body: { apiVersion: 'v1', metadata: { namespace } },
        signal,
      }));
    default:
      verb satisfies never;
  }
}

/** What is wrong with the configuration, and with our Node. */
async function whyNoLease(
  { client, node: name, signal }: Asking,
  { leases, mayGet }: { readonly leases: { readonly configPath: string }; readonly mayGet: boolean },
): Promise<readonly AccessFault[]> {
  const faults: AccessFault[] = [];
  const config = await new NetworkConfigFile(leases.configPath).read().catch((error: unknown) => {
    if (!isStoreError(error)) throw error;
    faults.push(
      faultAbout(error.code === 'missing' ? 'no-config' : 'bad-config', error.object, error.message),
    );
    return undefined;
  });
  if (!mayGet) return faults;
  const object = nodeObject(name);
  try {
    const node = parseNode(await client.json({ path: `/api/v1/nodes/${name}`, signal }), '');
    if (node === undefined) faults.push(faultAbout('no-node', object, 'it has no name that is one'));
    else if (config !== undefined) nodeSubnets(node, config);
  } catch (error) {
    signal.throwIfAborted();
    if (!isStoreError(error)) throw error;
    if (isApiError(error, 404)) faults.push(faultAbout('no-node', object, error.message));
    else faults.push(faultAbout(isApiError(error) ? kindOf(error) : 'no-network', object, error.message));
  }
  return faults;
}

function faultAbout(kind: AccessFaultKind, object: string, evidence: string): AccessFault {
  return { kind, object, evidence, isBearable: false };
}
