import { describe, expect, test } from '@jest/globals';
import { type OrderText, parseAnswer, parseOrder } from './orders.ts';

const line = (order: OrderText): string => JSON.stringify({ id: 7, order });

describe('parseOrder', () => {
  test('addresses of a probe are values', () => {
    const from = { name: 'a', netns: '/proc/1/ns/net', address: '10.244.1.2', node: 'node1' };
    const to = { name: 'b', netns: '/proc/2/ns/net', address: '10.244.2.2' };
    const { id, order } = parseOrder(
      line({ kind: 'probe', probe: { from, to, what: { kind: 'tcp', saw: '10.244.1.2' } }, timeout: 1000 }),
    );
    expect(id).toBe(7);
    if (order.kind !== 'probe' || order.probe.what.kind !== 'tcp') throw new Error(order.kind);
    expect(order.probe.to.address.toString()).toBe('10.244.2.2');
    expect(order.probe.what.saw.toString()).toBe('10.244.1.2');
  });

  test.each<OrderText>([
    { kind: 'ask', netns: '/proc/1/ns/net', to: '10.96.0.10', port: 80, udp: true, timeout: 1000 },
    { kind: 'run-pod', name: 'check-1a' },
    { kind: 'get', url: 'http://192.168.60.11:9469/metrics', timeout: 1000 },
  ])('keeps the kind of $kind', (order) => {
    expect(parseOrder(line(order)).order.kind).toBe(order.kind);
  });

  test('refuses what is no order, and no address', () => {
    expect(() => parseOrder('{"id": 1, "order": {"kind": "reboot"}}')).toThrow(/kind/);
    expect(() =>
      parseOrder(line({ kind: 'ask', netns: 'x', to: 'nowhere', port: 80, udp: true, timeout: 1 })),
    ).toThrow(/nowhere/);
  });
});

test('parseAnswer takes a result, and an error', () => {
  expect(parseAnswer('{"id": 1, "result": {"name": "a"}}')).toEqual({ id: 1, result: { name: 'a' } });
  expect(parseAnswer('{"id": 1, "error": "no answer"}').error).toBe('no answer');
});
