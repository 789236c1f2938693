// Netloom as it is installed on a node, in a virtual machine: `netloom node` with its defaults, leases and services in a directory that
// all machines share, pods made by calls of the plugin. Waiting is done in the machine, for the condition.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from '@jest/globals';
import type { Machine } from './machine.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const log = '/var/log/netloom.log';
/** Seconds, of an emulated machine on a busy one. */
const patience = 600;

const store = (share: string): string => join(share, 'leases');
export const serviceDirectory = (share: string): string => join(share, 'services');

/** The directory that all nodes share, as they would share etcd and the API server. */
export function makeStore(
  share: string,
  backend: Readonly<Record<string, unknown>> = { Type: 'vxlan' },
): void {
  for (const directory of [store(share), serviceDirectory(share)]) mkdirSync(directory, { recursive: true });
  const config = { Network: '10.244.0.0/16', Backend: backend };
  writeFileSync(join(store(share), 'config'), JSON.stringify(config));
}

export async function startNode(
  machine: Machine,
  { share, flags = [] }: { readonly share: string; readonly flags?: readonly string[] },
): Promise<void> {
  const words = [
    `${root}scripts/netloom`,
    'node',
    '--iface=eth0',
    '--log-format=json',
    `--store-directory=${store(share)}`,
    `--service-directory=${serviceDirectory(share)}`,
    '--cluster-cidr=10.244.0.0/16',
    ...flags,
  ];
  await machine.shell(`mkdir -p /var/log; setsid ${words.join(' ')} >>${log} 2>&1 </dev/null &`);
}

/** Resolves when the agent is ready and has programmed so many other nodes. Throws Error with its log when it is not in time. */
export async function nodeReady(machine: Machine, { peers }: { readonly peers: number }): Promise<void> {
  const status = 'curl -sf --unix-socket /run/netloom/netloom.sock http://netloom';
  await within(
    machine,
    // Starting curl costs a second of the processor that the node needs to get ready: only when it may be.
    `[ -e /run/flannel/subnet.env ] && ${status}/readyz >/dev/null && [ "$(${status}/status | grep -o '"programmed": *true' | wc -l)" = ${peers} ]`,
    `${status}/status; tail -n 20 ${log}`,
  );
}

/** Until the condition, a line of shell, holds in the machine; `complaint` tells what is there in its place. */
export async function within(machine: Machine, condition: string, complaint: string): Promise<void> {
  await machine.shell(
    `end=$(($(date +%s) + ${patience}))
until ${condition}; do
  if [ $(date +%s) -gt $end ]; then ${complaint}; exit 1; fi
  sleep 2
done`,
    { seconds: patience + 60 },
  );
}

function plugin(verb: 'ADD' | 'DEL', pod: string): string {
  const config = JSON.stringify({ cniVersion: '1.0.0', name: 'cbr0', type: 'netloom-cni' });
  return `echo '${config}' | CNI_COMMAND=${verb} CNI_CONTAINERID=${pod} CNI_NETNS=/run/netns/${pod} CNI_IFNAME=eth0 CNI_PATH=/opt/cni/bin ${root}build/netloom-cni`;
}

/** A pod that serves its name and 1 MB over HTTP; returns its address. */
export async function addPod(machine: Machine, pod: string): Promise<string> {
  const result = await machine.shell(
    `ip netns add ${pod}
${plugin('ADD', pod)}
mkdir -p /tmp/www-${pod}
echo ${pod} >/tmp/www-${pod}/name
head -c 1000000 /dev/zero >/tmp/www-${pod}/large
ip netns exec ${pod} busybox httpd -p 8080 -h /tmp/www-${pod}`,
  );
  const address = /"address": *"([0-9.]+)\/\d+"/.exec(result)?.[1];
  if (address === undefined) throw new Error(`The plugin gave pod "${pod}" no address: ${result}`);
  return address;
}

export async function removePod(machine: Machine, pod: string): Promise<void> {
  await machine.shell(`ip netns pids ${pod} | xargs -r kill; ${plugin('DEL', pod)}; ip netns delete ${pod}`);
}

/** Of the shell in a machine: what a pod's server says to whoever asks from another pod, its name and how much of 1 MB came. */
function asking(pod: string, address: string, port: number): string {
  const curl = `ip netns exec ${pod} curl -sf --max-time 60 --retry 3 http://${address}:${port}`;
  return `echo "$(${curl}/name) $(${curl}/large | wc -c)"`;
}

/** "pod-2a 1000000" when all is well. */
export async function askFrom(
  machine: Machine,
  { pod, address, port = 8080 }: { readonly pod: string; readonly address: string; readonly port?: number },
): Promise<string> {
  return (await machine.shell(asking(pod, address, port), { seconds: 300 })).trim();
}

/** VXLAN's, of nodes whose wires carry 1500. */
const vxlanMtu = 1450;
const headers = 28;

/** Every pod reaches every other: full packets of the pods' MTU that may not be split, and HTTP. `pods` is where they are. */
export async function expectMesh(
  pods: ReadonlyMap<string, { readonly machine: Machine; readonly address: string }>,
  mtu = vxlanMtu,
): Promise<void> {
  await Promise.all(
    [...pods].map(async ([pod, { machine }]) => {
      const others = [...pods].filter(([other]) => other !== pod);
      const lines = others.map(
        ([, { address }]) =>
          `ip netns exec ${pod} ping -c 3 -i 0.2 -W 10 -n -q -M do -s ${mtu - headers} ${address} >/dev/null && ${asking(pod, address, 8080)}`,
      );
      const seen = await machine.shell(
        lines.map((line) => `${line} || echo "from ${pod}: no answer"`).join('\n'),
        {
          seconds: 600,
        },
      );
      expect(seen.trim().split('\n')).toEqual(others.map(([other]) => `${other} 1000000`));
    }),
  );
}

/** Addresses that the node has given out, as host-local's files name them. */
export async function givenOut(machine: Machine): Promise<readonly string[]> {
  const files = await machine.shell('ls /var/lib/cni/networks/cbr0');
  return files
    .split('\n')
    .filter((file) => /^\d+\.\d+\.\d+\.\d+$/.test(file))
    .sort();
}

/** The node's lease, from the file for CNI plugins. */
export async function subnetOf(machine: Machine): Promise<string> {
  const text = await machine.shell('cat /run/flannel/subnet.env');
  return /FLANNEL_SUBNET=(.*)/.exec(text)?.[1] ?? '';
}
