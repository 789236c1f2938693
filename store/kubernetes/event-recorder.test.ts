import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { createManualClock, type ManualClock } from '../../runtime/manual-clock.ts';
import { FakeApiServer } from '../../test/store/fake-api-server.ts';
import { until } from '../../test/store/until.ts';
import { KubeClient } from './api/kube-client.ts';
import { EventRecorder, type NodeEvent } from './event-recorder.ts';

const minute = 60_000;

let server: FakeApiServer;
let client: KubeClient;
let clock: ManualClock;
let recorder: EventRecorder;

beforeEach(async () => {
  server = await FakeApiServer.start();
  client = new KubeClient({
    access: { server: server.url, credentials: async () => ({ headers: {}, tls: {} }), refused() {} },
  });
  clock = createManualClock();
  recorder = new EventRecorder({ client, clock, random: () => 0.5 });
});

afterEach(async () => {
  recorder.close();
  client.close();
  await server.stop();
});

const told = (): readonly string[] => server.list('events').map(({ message }) => String(message));

const event = (message: string, node = 'n1'): NodeEvent => ({
  node,
  type: 'Warning',
  reason: 'NetworkProblem',
  message,
});

/** Records it as node n1, and waits until the server was asked so many times in all. */
async function record(one: NodeEvent, requests: number): Promise<void> {
  recorder.record(one, 'n1');
  await clock.advance(0);
  await until(() => server.requests.length === requests);
}

test('an event is one that kubectl shows with its Node', async () => {
  await record(event('a problem'), 1);
  await until(() => told().length === 1);
  expect(server.list('events')[0]).toMatchObject({
    metadata: { namespace: 'default', name: expect.stringMatching(/^n1\.[0-9a-f]{16}$/) },
    involvedObject: { kind: 'Node', name: 'n1', uid: 'n1' },
    type: 'Warning',
    reason: 'NetworkProblem',
    message: 'a problem',
    source: { component: 'netloom', host: 'n1' },
    count: 1,
  });
});

test('the same is told once in the time that the server keeps it', async () => {
  await record(event('a'), 1);
  for (let at = 0; at < 61; at++) {
    recorder.record(event('a'), 'n1');
    await clock.advance(minute);
  }
  expect(server.requests).toHaveLength(1);
  // By then the server has forgotten it.
  for (const { metadata } of server.list('events')) server.delete('events', `default/${metadata.name}`);
  await record(event('a'), 2);
  await until(() => told().length === 1);
});

test('at most 25 in ten minutes, whatever they say; then more', async () => {
  for (let i = 0; i < 100; i++) recorder.record(event(`problem ${i}`), 'n1');
  await clock.advance(0);
  await until(() => told().length === 25);
  await clock.advance(10 * minute - 1);
  recorder.record(event('one more'), 'n1');
  await clock.advance(0);
  expect(server.requests).toHaveLength(25);
  await clock.advance(1);
  await record(event('one more'), 26);
});

test('what is about another Node waits: all nodes heard of it at one moment, and one of them is to tell it', async () => {
  recorder.record(event('a bad peer', 'n2'), 'n1');
  await clock.advance(14_999);
  expect(server.requests).toHaveLength(0);
  // Another node was faster.
  const names: string[] = [];
  server.fault = ({ body }) => {
    names.push(Object(body).metadata.name);
    return 409;
  };
  await clock.advance(1);
  await until(() => server.requests.length === 1);
  expect(names[0]).toMatch(/^n2\./);
  await clock.advance(30 * minute);
  recorder.record(event('a bad peer', 'n2'), 'n1');
  await clock.advance(minute);
  expect(server.requests).toHaveLength(1);
});

test('who may not write events goes on without them, and asks again after an hour', async () => {
  server.fault = () => 403;
  await record(event('a'), 1);
  await until(async () => {
    // Until the answer has been read it is tried; then no more.
    const before = server.requests.length;
    recorder.record(event(`b${before}`), 'n1');
    await clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
    return server.requests.length === before && before > 0;
  });
  const asked = server.requests.length;
  await clock.advance(60 * minute);
  recorder.record(event('c'), 'n1');
  await clock.advance(0);
  expect(server.requests).toHaveLength(asked);
  server.fault = () => undefined;
  await clock.advance(2 * minute);
  await record(event('c'), asked + 1);
});

test('a server that is away is asked again after a minute, not at each report', async () => {
  server.fault = () => 503;
  await record(event('a'), 1);
  for (let i = 0; i < 59; i++) {
    await clock.advance(1000);
    recorder.record(event('a'), 'n1');
  }
  await clock.advance(0);
  expect(server.requests).toHaveLength(1);
  server.fault = () => undefined;
  await clock.advance(2000);
  await record(event('a'), 2);
  await until(() => told().length === 1);
});

test('a name that is as long as a name can be makes a name that Kubernetes takes', async () => {
  const node = `${'a'.repeat(63)}.${'b'.repeat(63)}.${'c'.repeat(63)}.${'d'.repeat(7)}-${'e'.repeat(40)}`;
  recorder.record(event('a', node), 'n1');
  await clock.advance(30_000);
  await until(() => told().length === 1);
  expect(server.list('events')[0]?.metadata.name).toMatch(/^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?\.[0-9a-f]{16}$/);
});

test('nothing is told after the end', async () => {
  recorder.record(event('a', 'n2'), 'n1');
  recorder.close();
  await clock.advance(minute);
  expect([server.requests.length, clock.timers]).toEqual([0, 0]);
});
