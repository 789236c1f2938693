// The poller with real notifications of a namespace.
import { describe, expect, test } from '@jest/globals';
import { NETLINK_ROUTE, NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import { Poller } from '../../kernel/poller.ts';
import { openRouteDriver } from '../../kernel/route/driver.ts';
import { testNetns } from '../sandbox.ts';

const RTNLGRP_LINK = 1;

describe('Poller', () => {
  test('calls back for each socket that has something to read, until told to stop', async () => {
    using one = testNetns();
    using other = testNetns();
    const poller = new Poller();
    const heard: string[] = [];
    const waiting = new Set<() => void>();
    const listen = (name: string, netns: typeof one.netns) => {
      const socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns, groups: [RTNLGRP_LINK] });
      const stop = poller.watch(socket.fd, () => {
        if (socket.notifications().messages.length > 0) heard.push(name);
        for (const wake of waiting) wake();
      });
      return { socket, stop };
    };
    const until = (want: number) =>
      new Promise<void>((resolve) => {
        const look = () => {
          if (heard.length < want) return;
          waiting.delete(look);
          resolve();
        };
        waiting.add(look);
        look();
      });
    const makeBridge = (netns: typeof one.netns, name: string) => {
      const driver = openRouteDriver({ netns });
      const [result] = driver.apply([{ kind: 'link-add', link: { name, detail: { kind: 'bridge' } } }]);
      driver.close();
      expect(result?.error).toBeUndefined();
    };

    const first = listen('one', one.netns);
    const second = listen('other', other.netns);
    expect(() => poller.watch(first.socket.fd, () => undefined)).toThrow(/twice/);
    makeBridge(one.netns, 'br0');
    await until(1);
    makeBridge(other.netns, 'br0');
    await until(2);
    first.stop();
    makeBridge(one.netns, 'br1');
    makeBridge(other.netns, 'br1');
    await until(3);
    expect(heard).toEqual(['one', 'other', 'other']);

    await poller.close();
    await poller.close();
    expect(() => poller.watch(second.socket.fd, () => undefined)).toThrow(/closed/);
    first.socket.close();
    second.socket.close();
  });
});
