// What an agent finds when it starts after a reboot, or after a runtime died with its pods: addresses, records and rules of pods that
// are gone. It takes them away, and leaves those that live and those of other plugins.
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { AttachmentRecords } from '../../agent/wiring/attachment-record.ts';
import { pluginDirectory } from '../../cli/lab/plugin-directory.ts';
import { parseConfigList } from '../../cli/libcni/config-list.ts';
import { LibCni } from '../../cli/libcni/libcni.ts';
import { conflistText } from '../../cni/conflist.ts';
import { type TestNetns, testNetns } from '../sandbox.ts';
import { run, TestCluster, type TestNode, until } from './cluster.ts';

let cluster: TestCluster;
let pods: TestNetns[];
beforeEach(async () => {
  cluster = new TestCluster({ nodes: 1 });
  await cluster.up();
  pods = [testNetns(), testNetns()];
});
afterEach(async () => {
  for (const pod of pods) pod[Symbol.dispose]();
  await cluster.close();
});

function node(): TestNode {
  const [first] = cluster.nodes;
  if (first === undefined) throw new Error('Cannot find the node');
  return first;
}

function runtime(): LibCni {
  const { directory, subnetFile, place } = node();
  const text = conflistText({
    bridge: 'cni0',
    runDirectory: join(directory, 'run'),
    stateDirectory: join(directory, 'state'),
    subnetFile,
    ipamDirectory: join(directory, 'ipam'),
  });
  return new LibCni({
    list: parseConfigList(text, 'test'),
    pluginDirectories: [pluginDirectory()],
    hostNetns: place.netns.path,
  });
}

const records = () => new AttachmentRecords({ runDirectory: join(node().directory, 'run') });
const addresses = () => readdirSync(join(node().directory, 'ipam/cbr0')).filter((name) => /^\d/.test(name));
const ruleset = () => run(`ip netns exec ${node().place.name} nft list ruleset`);

test('dead pods leave nothing, living ones and other plugins lose nothing', async () => {
  const publish = (hostPort: number) => ({
    portMappings: [{ hostPort, containerPort: 80, protocol: 'tcp' }],
  });
  const [living, dying] = pods;
  if (living === undefined || dying === undefined) throw new Error('Cannot find two pods');
  const cni = runtime();
  await cni.add({ containerId: 'living', netns: living.netns.path, capabilityArgs: publish(8081) });
  await cni.add({ containerId: 'killed', netns: dying.netns.path, capabilityArgs: publish(8082) });
  await cni.add({ containerId: 'rebooted', netns: dying.netns.path, ifname: 'eth1' });
  await cluster.stop(node());
  dying[Symbol.dispose]();
  // As after a reboot: what the record says is of another kernel.
  const attachment = { network: 'cbr0', containerId: 'rebooted', ifname: 'eth1' };
  const record = records().read(attachment);
  if (record === undefined) throw new Error('Cannot find the record');
  records().write({ ...record, bootId: 'another' });
  const foreign = join(node().directory, 'ipam/theirs');
  mkdirSync(foreign);
  writeFileSync(join(foreign, '10.9.0.2'), 'gone\r\neth0');
  expect(addresses()).toHaveLength(3);

  cluster.start(node());
  await cluster.ready(node(), 0);
  await until(
    () => addresses().length === 1,
    () => addresses().join(' '),
  );
  expect(
    records()
      .all()
      .records.map((one) => one.attachment.containerId),
  ).toEqual(['living']);
  expect(ruleset()).toContain('8081');
  expect(ruleset()).not.toContain('8082');
  expect(existsSync(join(foreign, '10.9.0.2'))).toBe(true);
  expect(run(`ip -n ${living.name} -o address show eth0`)).toContain(addresses()[0]);
});
