// The synchronous netlink socket against the real kernel: what is answered to whom, what fails alone, what is read again.
import { afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { isNotFound, KernelError } from '../../kernel/kernel-error.ts';
import { type NetlinkRequest, NLM_F_CREATE, NLM_F_EXCL } from '../../kernel/netlink/message.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../kernel/netlink/netlink-socket.ts';
import { dumps, linkRequest, stepRequest } from '../../kernel/route/requests.ts';
import { readLinkName, writeLinkQuery } from '../../kernel/route/wire-link.ts';
import { refuseRoot, type TestNetns, testNetns } from '../sandbox.ts';

const RTM_DELLINK = 17;
const RTM_NEWLINK = 16;
const RTNLGRP_LINK = 1;

let place: TestNetns;
let socket: NetlinkSocket;

beforeAll(refuseRoot);
beforeEach(() => {
  place = testNetns();
  socket = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: place.netns });
});
afterEach(() => {
  socket.close();
  place[Symbol.dispose]();
});

function addIfb(name: string): NetlinkRequest {
  const step = stepRequest({ kind: 'link-add', link: { name, detail: { kind: 'ifb' } } });
  const { type, flags, operation, object } = step;
  return { type, flags, operation, object, body: (out) => step.write(out, { indexOf: () => 0 }) };
}

function deleteLink(name: string): NetlinkRequest {
  return {
    type: RTM_DELLINK,
    flags: 0,
    body: (out) => writeLinkQuery(out, { name }),
    operation: 'delete link',
    object: name,
  };
}

function codes(results: readonly (KernelError | undefined)[]): readonly (string | undefined)[] {
  return results.map((error) => error?.code);
}

function linkNames(from: NetlinkSocket = socket): readonly string[] {
  return from.dump(dumps.links, ({ body }) => readLinkName(body)?.name);
}

describe('execute', () => {
  test('names the capability that is missing', () => {
    process.seteuid?.(65_534);
    try {
      const [error] = socket.execute([addIfb('i0')]);
      expect(error?.message).toMatch(/^Cannot add link .*EPERM\): the capability CAP_NET_ADMIN is needed$/);
    } finally {
      process.seteuid?.(0);
    }
  });

  test('answers each request of a batch by its own result', () => {
    const requests = [
      addIfb('a'),
      deleteLink('nope'),
      addIfb('b'),
      addIfb('a'),
      deleteLink('b'),
      deleteLink('b'),
    ];
    expect(codes(socket.execute(requests))).toEqual([
      undefined,
      'ENODEV',
      undefined,
      'EEXIST',
      undefined,
      'ENODEV',
    ]);
    expect(linkNames()).toEqual(['lo', 'a']);
  });

  test('does nothing for nothing', () => {
    expect(socket.execute([])).toEqual([]);
  });

  test('splits what is too much for one datagram, and loses no result', () => {
    const requests = Array.from({ length: 2500 }, (_, i) =>
      i === 1700 ? addIfb('a') : deleteLink(`no${i}`),
    );
    const results = socket.execute(requests);
    expect(results).toHaveLength(2500);
    expect(results.flatMap((error, i) => (error === undefined ? [i] : []))).toEqual([1700]);
    expect(results[2499]?.object).toBe('no2499');
    expect(results.every((error) => error === undefined || isNotFound(error))).toBe(true);
  });

  test('quotes the kernel’s own words', () => {
    const [error] = socket.execute([
      {
        type: RTM_NEWLINK,
        flags: NLM_F_CREATE | NLM_F_EXCL,
        // IFLA_LINKINFO { IFLA_INFO_KIND: "netloomless" }
        body: (out) => {
          out.zeros(16);
          out.raw(Buffer.from('140012001000010' + '06e65746c6f6f6d6c65737300', 'hex'));
        },
        operation: 'add link',
        object: 'x type netloomless',
      },
    ]);
    expect(error?.message).toBe(
      'Cannot add link "x type netloomless": operation not supported on socket (EOPNOTSUPP): Unknown device type',
    );
    expect(error?.kernelMessage).toBe('Unknown device type');
  });

  test('does not take lost answers for successes, and is in order afterwards', () => {
    using small = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: place.netns, receiveBuffer: 4096 });
    const results = small.execute(Array.from({ length: 500 }, (_, i) => deleteLink(`no${i}`)));
    expect(results.every((error) => error !== undefined)).toBe(true);
    expect(new Set(codes(results))).toEqual(new Set(['ENODEV', 'ENOBUFS']));
    expect(linkNames(small)).toEqual(['lo']);
    expect(codes(small.execute([addIfb('a')]))).toEqual([undefined]);
  });
});

describe('query', () => {
  test('returns what is asked for, or throws what the kernel says', () => {
    expect(socket.query(linkRequest({ name: 'lo' }), ({ body }) => readLinkName(body))).toEqual([
      { index: 1, name: 'lo' },
    ]);
    expect(() => socket.query(linkRequest({ name: 'nope' }), () => undefined)).toThrow(
      'Cannot find link "nope": no such device (ENODEV)',
    );
    expect(socket.query(linkRequest({ index: 1 }), ({ body }) => readLinkName(body)?.name)).toEqual(['lo']);
  });
});

describe('dump', () => {
  const many = 120;
  beforeEach(() => {
    expect(
      codes(socket.execute(Array.from({ length: many }, (_, i) => addIfb(`ifb${i}`)))).filter(Boolean),
    ).toEqual([]);
  });

  test('is read again when the table changed in the midst of it', () => {
    using other = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: place.netns });
    let seen = 0;
    const names = socket.dump(dumps.links, ({ body }) => {
      // The kernel fills the next datagram when it is asked for: this happens between two.
      if (seen === 0)
        expect(codes(other.execute([deleteLink('ifb7'), addIfb('late')]))).toEqual([undefined, undefined]);
      seen += 1;
      return readLinkName(body)?.name;
    });
    expect(seen).toBeGreaterThan(names.length);
    expect(names).toHaveLength(many + 1);
    expect(names).toContain('late');
    expect(names).not.toContain('ifb7');
  });

  test('fails when the table changes every time', () => {
    using other = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: place.netns });
    let change = 0;
    const read = (): unknown =>
      socket.dump(dumps.links, ({ body }) => {
        const name = readLinkName(body)?.name;
        if (name === 'lo') {
          change += 1;
          other.execute(change % 2 === 0 ? [addIfb('flip')] : [deleteLink('ifb0'), deleteLink('flip')]);
        }
        return name;
      });
    expect(read).toThrow(
      'Cannot read "links": interrupted system call (EINTR): it changed during each of 10 dumps',
    );
    expect(linkNames()).toContain('ifb5');
  });

  test('hands on what the decoder throws once the answers are read', () => {
    expect(() =>
      socket.dump(dumps.links, () => {
        throw new TypeError('not this one');
      }),
    ).toThrow('not this one');
    expect(linkNames()).toHaveLength(many + 1);
  });
});

describe('notifications', () => {
  test('are queued when the request returns', () => {
    using listener = new NetlinkSocket({
      protocol: NETLINK_ROUTE,
      netns: place.netns,
      groups: [RTNLGRP_LINK],
    });
    expect(listener.notifications()).toEqual({ messages: [], overrun: false });
    socket.execute([addIfb('a')]);
    const { messages, overrun } = listener.notifications();
    expect(overrun).toBe(false);
    expect(messages.map(({ type, body }) => [type, readLinkName(body)?.name])).toEqual([[RTM_NEWLINK, 'a']]);
  });

  test('that were lost are told of once; later ones come again', () => {
    using listener = new NetlinkSocket({
      protocol: NETLINK_ROUTE,
      netns: place.netns,
      groups: [RTNLGRP_LINK],
      receiveBuffer: 4096,
    });
    socket.execute(Array.from({ length: 30 }, (_, i) => addIfb(`ifb${i}`)));
    expect(listener.notifications().overrun).toBe(true);
    expect(listener.notifications()).toEqual({ messages: [], overrun: false });
    socket.execute([addIfb('after')]);
    expect(listener.notifications().messages).toHaveLength(1);
  });
});

test('a socket stays in the namespace that it was opened in', () => {
  using other = testNetns();
  using there = new NetlinkSocket({ protocol: NETLINK_ROUTE, netns: other.netns });
  socket.execute([addIfb('here')]);
  there.execute([addIfb('there')]);
  expect(linkNames()).toEqual(['lo', 'here']);
  expect(linkNames(there)).toEqual(['lo', 'there']);
});

test('a socket of a protocol that the kernel does not have is refused, and none stays open', () => {
  expect(() => new NetlinkSocket({ protocol: 31 })).toThrow(KernelError);
});
