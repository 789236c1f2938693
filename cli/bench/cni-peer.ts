// The peer's side of `netloom bench cni`: the reference's bridge with host-local, and portmap behind it, in a namespace of its own.
import { createHash } from 'node:crypto';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { execute } from '../../kernel/exec.ts';
import { Prefix } from '../../net/prefix.ts';
import { LibCni } from '../libcni/libcni.ts';
import { openAgentDirectory } from './bench-agent.ts';
import { isInstalled, openBenchNetns } from './bench-netns.ts';
import {
  type CniSide,
  containerId,
  firstCrowdPort,
  longestCall,
  openPodNamespaces,
  podCall,
  writeAddressFiles,
} from './cni-side.ts';

const network = 'bench';
const subnet = Prefix.parse('10.1.0.0/16');
const places = ['/opt/cni/bin', '/usr/lib/cni', '/usr/libexec/cni'];

const peerName = 'bridge + host-local + portmap';

/** The first directory that has all three plugins; undefined also when there is no iptables for them. */
export async function findPeer(): Promise<string | undefined> {
  const isThere = (file: string) => statSync(file, { throwIfNoEntry: false })?.isFile() === true;
  const found = places.find((place) =>
    ['bridge', 'host-local', 'portmap'].every((name) => isThere(join(place, name))),
  );
  return found !== undefined && (await isInstalled('iptables')) ? found : undefined;
}

export async function openPeerSide(options: {
  readonly pods: number;
  readonly pluginDirectory: string;
}): Promise<CniSide> {
  await using made = new AsyncDisposableStack();
  const home = made.use(openBenchNetns());
  const directory = made.use(openAgentDirectory()).path;
  const pods = made.use(openPodNamespaces(`${home.name}-pod`, options.pods));
  await execute(['ip', 'link', 'set', 'lo', 'up'], { netns: home.netns });
  const networks = join(directory, 'networks');
  const runtimeOf = (cniVersion: string): LibCni =>
    new LibCni({
      list: { name: network, cniVersion, plugins: plugins(networks) },
      pluginDirectories: [options.pluginDirectory],
      cacheDirectory: join(directory, 'results'),
      hostNetns: home.netns.path,
      timeout: longestCall,
    });
  const hasStatus = await runtimeOf('1.1.0')
    .validate()
    .then(
      () => true,
      () => false,
    );
  const runtime = runtimeOf(hasStatus ? '1.1.0' : '1.0.0');
  const all = made.move();
  const side: CniSide = {
    name: peerName,
    runtime,
    hasStatus,
    pods: pods.paths,
    async crowd(count) {
      // The first ADD makes the chains that all pods share.
      const first = podCall(side, { place: 0, ports: 1 });
      await runtime.add(first);
      await execute(['iptables-restore', '--noflush'], { netns: home.netns, input: crowdRules(count) });
      await runtime.del(first);
      await side.takeAddresses(count);
    },
    async takeAddresses(count) {
      writeAddressFiles(join(networks, network), { first: subnet.address.plus(2), count });
    },
    [Symbol.asyncDispose]: () => all.disposeAsync(),
  };
  return side;
}

function plugins(dataDir: string) {
  return [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      isDefaultGateway: true,
      ipMasq: true,
      hairpinMode: true,
      ipam: { type: 'host-local', dataDir, ranges: [[{ subnet: subnet.toString() }]] },
    },
    { type: 'portmap', capabilities: { portMappings: true } },
  ];
}

/** What bridge (ipMasq) and portmap 1.1.1 leave in iptables for each of so many pods, as iptables-save shows it. */
function crowdRules(count: number): string {
  const chains: string[] = [];
  const rules: string[] = [];
  for (let i = 0; i < count; i++) {
    const id = containerId(`crowd ${i}`);
    const hash = createHash('sha512').update(`${network}${id}`).digest('hex');
    const masquerade = `CNI-${hash.slice(0, 24)}`;
    const ports = `CNI-DN-${hash.slice(0, 21)}`;
    const address = subnet.address.plus(i + 2);
    const port = firstCrowdPort + i;
    const who = `name: \\"${network}\\" id: \\"${id}\\"`;
    chains.push(`:${masquerade} - [0:0]`, `:${ports} - [0:0]`);
    rules.push(
      `-A POSTROUTING -s ${address}/32 -m comment --comment "${who}" -j ${masquerade}`,
      `-A ${masquerade} -d ${subnet} -m comment --comment "${who}" -j ACCEPT`,
      `-A ${masquerade} ! -d 224.0.0.0/4 -m comment --comment "${who}" -j MASQUERADE`,
      `-A CNI-HOSTPORT-DNAT -p tcp -m comment --comment "dnat ${who}" -m multiport --dports ${port} -j ${ports}`,
      `-A ${ports} -s ${subnet} -p tcp -m tcp --dport ${port} -j CNI-HOSTPORT-SETMARK`,
      `-A ${ports} -s 127.0.0.1/32 -p tcp -m tcp --dport ${port} -j CNI-HOSTPORT-SETMARK`,
      `-A ${ports} -p tcp -m tcp --dport ${port} -j DNAT --to-destination ${address}:80`,
    );
  }
  return ['*nat', ...chains, ...rules, 'COMMIT', ''].join('\n');
}
