// Two machines of the path's benchmark, joined by one wire, and a pod on each: namespaces with no way out. What carries packets between
// the pods is not made here.
import { execute } from '../../../kernel/exec.ts';
import { IpAddress } from '../../../net/address.ts';
import type { Prefix } from '../../../net/prefix.ts';
import { type BenchNetns, openBenchNetns } from '../bench-netns.ts';

/** The interface between the machines. */
export const wire = 'under0';
export const bridge = 'cni0';

export interface PathHost {
  readonly number: 1 | 2;
  readonly machine: BenchNetns;
  /** Empty until `wirePod`. */
  readonly pod: BenchNetns;
  /** On the wire. */
  readonly address: IpAddress;
}

export interface PathHosts extends AsyncDisposable {
  readonly first: PathHost;
  readonly second: PathHost;
}

export async function openHosts(): Promise<PathHosts> {
  await using made = new AsyncDisposableStack();
  const open = (number: 1 | 2): PathHost => ({
    number,
    machine: made.use(openBenchNetns()),
    pod: made.use(openBenchNetns()),
    address: IpAddress.parse('172.16.0.0').plus(number),
  });
  const [first, second] = [open(1), open(2)];
  await ip(first.machine, [`link add ${wire} type veth peer name ${wire} netns ${second.machine.name}`]);
  for (const { machine, address } of [first, second]) {
    await ip(machine, ['link set lo up', `link set ${wire} up`, `addr add ${address}/24 dev ${wire}`]);
  }
  const all = made.move();
  return { first, second, [Symbol.asyncDispose]: () => all.disposeAsync() };
}

/** `ip -batch` with these lines in the namespace. */
export async function ip({ netns }: BenchNetns, lines: readonly string[]): Promise<void> {
  await execute(['ip', '-batch', '-'], { netns, input: `${lines.join('\n')}\n` });
}

/** Puts the pod on the bridge of its machine, with the second address of the subnet, whose first is the bridge's. */
export async function wirePod(
  { machine, pod }: PathHost,
  { subnet, mtu }: { readonly subnet: Prefix; readonly mtu: number },
): Promise<IpAddress> {
  const gateway = subnet.first().plus(1);
  const address = gateway.plus(1);
  await ip(machine, [
    `link add pod0 mtu ${mtu} type veth peer name eth0 mtu ${mtu} netns ${pod.name}`,
    `link set pod0 master ${bridge} up`,
    'link set pod0 type bridge_slave hairpin on',
  ]);
  await ip(pod, [
    'link set lo up',
    'link set eth0 up',
    `addr add ${address}/${subnet.length} dev eth0`,
    `route add default via ${gateway}`,
  ]);
  return address;
}
