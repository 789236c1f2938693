// A neighbour of the machines on their private network, who is no node: a namespace of this machine with a MAC address of its own
// (macvlan). The machine it lives on cannot reach it, by the nature of macvlan: it plays the internet for the others.
import { execute } from '../../kernel/exec.ts';
import { createNetns, removeNetns } from '../../kernel/netns.ts';

const name = 'netloom-outside';
const path = `/run/netns/${name}`;

export interface OutsideOptions {
  /** Its own, with length. */
  readonly address: string;
  /** This machine's on the private network. */
  readonly beside: string;
  /** What it sends to a node, as a router of load balancers' addresses would. */
  readonly route: string;
  readonly via: string;
}

/** The namespace's path. Throws Error when this machine does not have the address. */
export async function makeOutside({ address, beside, route, via }: OutsideOptions): Promise<string> {
  await removeOutside();
  const { stdout } = await execute(['ip', '-json', '-4', 'address', 'show', 'to', beside]);
  const link = /"ifname":"([^"]+)"/.exec(stdout)?.[1];
  if (link === undefined) throw new Error(`Cannot make "${name}": no interface has ${beside}`);
  createNetns(path);
  // The same after every proof: the machines remember neighbours for a while.
  const mac = ['02', '00', ...(address.split('/')[0] ?? '').split('.').map(hexByte)].join(':');
  await execute(['ip', '-batch', '-'], {
    input: `link add link ${link} name outside0 address ${mac} netns ${name} type macvlan mode bridge\n`,
  });
  const lines = [
    'link set lo up',
    `address add ${address} dev outside0`,
    'link set outside0 up',
    `route add ${route} via ${via}`,
  ];
  await execute(['ip', '-netns', name, '-batch', '-'], { input: `${lines.join('\n')}\n` });
  return path;
}

function hexByte(decimal: string): string {
  return Number(decimal).toString(16).padStart(2, '0');
}

/** The link goes with its namespace. */
export async function removeOutside(): Promise<void> {
  // A killed proof may have left it between link and namespace.
  await execute(['ip', '-netns', name, 'link', 'delete', 'outside0'], { okCodes: [0, 1, 255] });
  removeNetns(path);
}
