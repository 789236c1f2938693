// Adds pods to a running lab and takes them away: the namespace, the plugin's ADD and DEL, the endpoint that answers in it.
import { removeNetns } from '../../kernel/netns.ts';
import { Prefix } from '../../net/prefix.ts';
import { readConfigList } from '../libcni/config-list.ts';
import { LibCni } from '../libcni/libcni.ts';
import type { PodCall } from '../libcni/plugin-request.ts';
import { addressesOf } from '../libcni/result.ts';
import { nodePaths } from './daemons.ts';
import { makeNetns } from './lab-namespaces.ts';
import { netnsPath, type PodPlan } from './lab-plan.ts';
import { type LabRecord, withoutPod, withPod } from './lab-record.ts';
import type { LabPod, LabState } from './lab-state.ts';
import { pluginDirectory } from './plugin-directory.ts';
import { closeEndpointOf, drainEndpointOf, openEndpointOf, syncEndpoints } from './responder-client.ts';

/** Milliseconds for one plugin. */
const pluginTime = 20_000;

/** Throws Error when the plugin refuses; what was made so far is removed again. */
export async function addPod(
  lab: LabRecord,
  options: { readonly pod: PodPlan; readonly signal: AbortSignal },
): Promise<LabPod> {
  const { pod, signal } = options;
  lab.update((state) => withPod(state, { ...pod, addresses: [] }));
  makeNetns(pod.netns, { ip6: lab.state.networks.some(({ family }) => family === 6) });
  try {
    const addresses = await wire(lab.state, { pod, signal });
    await openEndpointOf(lab.state, pod);
    const wired: LabPod = { ...pod, addresses: [...addresses] };
    lab.update((state) => withPod(state, wired));
    await syncEndpoints(lab.state.name);
    return wired;
  } catch (error) {
    // The runtime's duty after a failed ADD; its own failure would hide the first one.
    await removePod(lab, pod).catch(() => undefined);
    throw error;
  }
}

/** DEL, then the namespace. Throws Error when the plugin refuses; the namespace goes all the same. */
export async function removePod(lab: LabRecord, pod: Pick<LabPod, 'name' | 'node' | 'netns'>): Promise<void> {
  const known = lab.state.pods.find(({ name }) => name === pod.name);
  if (known !== undefined && known.addresses.length > 0) {
    lab.update((state) => withPod(state, { ...known, terminating: true }));
    await syncEndpoints(lab.state.name);
    // Services stop to send to it first.
    await drainEndpointOf(lab.state.name, pod.name);
  }
  await closeEndpointOf(lab.state.name, pod.name);
  try {
    await runtimeOf(lab.state, pod).del(podCall(lab.state, pod));
  } finally {
    removeNetns(netnsPath(pod.netns));
    lab.update((state) => withoutPod(state, pod.name));
    await syncEndpoints(lab.state.name).catch(() => undefined);
  }
}

async function wire(
  state: LabState,
  { pod, signal }: { readonly pod: PodPlan; readonly signal: AbortSignal },
): Promise<readonly string[]> {
  const result = await runtimeOf(state, pod).add({ ...podCall(state, pod), signal });
  const given = addressesOf(result).map((text) => Prefix.parse(text).address);
  return state.networks.map(({ family }) => {
    const address = given.find((one) => one.family === family);
    if (address === undefined) throw new Error(`The plugin gave pod "${pod.name}" no IPv${family} address`);
    return address.toString();
  });
}

function runtimeOf(state: LabState, pod: Pick<LabPod, 'node'>): LibCni {
  const node = state.nodes.find(({ name }) => name === pod.node);
  if (node === undefined) {
    const names = state.nodes.map(({ name }) => name).join(', ');
    throw new RangeError(`There is no node "${pod.node}" in lab "${state.name}": it has ${names}`);
  }
  return new LibCni({
    list: readConfigList(nodePaths(node).cniConf),
    pluginDirectories: [pluginDirectory()],
    hostNetns: netnsPath(node.netns),
    timeout: pluginTime * state.patience,
  });
}

function podCall(state: LabState, pod: Pick<LabPod, 'name' | 'netns'>): PodCall {
  return {
    containerId: `${state.name}-${pod.name}`,
    netns: netnsPath(pod.netns),
    args: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${state.name};K8S_POD_NAME=${pod.name}`,
  };
}
