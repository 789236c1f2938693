import { describe, expect, test } from '@jest/globals';
import { createLog, type Log, type LogOptions } from './log.ts';

function capture(options: LogOptions = {}): { readonly log: Log; readonly lines: string[] } {
  const lines: string[] = [];
  return { log: createLog({ ...options, destination: { write: (line) => void lines.push(line) } }), lines };
}
const parse = (line: string | undefined): Record<string, unknown> => {
  const { time, ...rest } = JSON.parse(line ?? 'null');
  expect(new Date(time).toISOString()).toBe(time);
  return rest;
};

describe('JSON lines', () => {
  test('one line an event, with level as a word, the fields, the component and the error', () => {
    const { log, lines } = capture({ fields: { node: 'n1' } });
    log.root.info('up');
    log.component('vxlan').warn({ peer: '192.0.2.9', err: new RangeError('bad VNI') }, 'peer skipped');
    expect(lines.every((line) => line.endsWith('\n') && line.split('\n').length === 2)).toBe(true);
    expect(parse(lines[0])).toEqual({ level: 'info', node: 'n1', msg: 'up' });
    expect(parse(lines[1])).toEqual({
      level: 'warn',
      node: 'n1',
      component: 'vxlan',
      peer: '192.0.2.9',
      err: expect.objectContaining({ type: 'RangeError', message: 'bad VNI' }),
      msg: 'peer skipped',
    });
  });

  test('secrets are not written, at the top or one level below, nor the paths that were asked for', () => {
    const { log, lines } = capture({ redact: ['request.headers.cookie'] });
    const secret = 'hunter2';
    log.root.info({
      token: secret,
      etcd: { password: secret, user: 'root' },
      wireguard: { privateKey: secret },
      request: { headers: { cookie: secret } },
    });
    expect(lines.join('')).not.toContain(secret);
    expect(parse(lines[0])['etcd']).toEqual({ password: '(redacted)', user: 'root' });
  });
});

describe('the level', () => {
  test('holds back what is below it', () => {
    const { log, lines } = capture({ level: 'warn' });
    log.root.info('no');
    log.component('a').info('no');
    log.root.error('yes');
    expect(lines.map((line) => parse(line)['msg'])).toEqual(['yes']);
  });

  test('changes while the program runs, for components made before and after', () => {
    const { log, lines } = capture();
    const before = log.component('before');
    const child = before.child({ peer: 'n2' });
    before.debug('no');
    child.debug('no');
    log.setLevel('debug');
    before.debug('1');
    log.component('after').debug('2');
    log.root.debug('3');
    child.debug('4');
    log.setLevel('silent');
    before.fatal('no');
    expect([lines.map((line) => parse(line)['msg']), log.level]).toEqual([['1', '2', '3', '4'], 'silent']);
  });

  test('a component has one logger', () => {
    const { log } = capture();
    expect(log.component('a')).toBe(log.component('a'));
  });
});

test('pretty lines are written when the call returns, for people, without colour when it is no terminal', () => {
  const { log, lines } = capture({ format: 'pretty' });
  log.component('vxlan').info({ peer: '192.0.2.9' }, 'added');
  expect(lines.join('')).toMatch(
    /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: vxlan: added\n {4}peer: "192\.0\.2\.9"\n$/,
  );
});

test('auto is JSON for a destination of one’s own', () => {
  const { log, lines } = capture({ format: 'auto' });
  log.root.info('x');
  expect(parse(lines[0])['msg']).toBe('x');
});
