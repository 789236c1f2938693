import { status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { callFault, etcdError, isMembersFault, isTokensFault, reasonOf } from './etcd-error.ts';

describe('reasons', () => {
  test.each([
    [
      'No connection established. Last error: Error: connect ECONNREFUSED 127.0.0.1:1. Resolution note: ',
      'connect ECONNREFUSED 127.0.0.1:1',
    ],
    ['etcdserver: \u001b[31mno leader\n', 'etcdserver:  [31mno leader'],
    ['', 'gRPC status UNAVAILABLE'],
    ['x'.repeat(400), `${'x'.repeat(300)}...`],
  ])('%j', (details, reason) => {
    expect(reasonOf({ code: status.UNAVAILABLE, details })).toBe(reason);
  });

  test('of a time-out are ours', () => {
    const fault = { code: status.DEADLINE_EXCEEDED, details: 'Deadline exceeded after 5s' };
    expect(etcdError('read', { fault, place: 'http://a:2379' }).message).toBe(
      'Cannot read: etcd at "http://a:2379": it did not answer in time',
    );
  });
});

test.each([
  [status.UNAVAILABLE, 'etcdserver: no leader', true, false],
  [status.UNAUTHENTICATED, 'etcdserver: invalid auth token', false, true],
  [status.INVALID_ARGUMENT, 'etcdserver: revision in header is old', false, true],
  [status.INVALID_ARGUMENT, 'etcdserver: user name is empty', false, true],
  [status.PERMISSION_DENIED, 'etcdserver: permission denied', false, false],
  [status.OUT_OF_RANGE, 'etcdserver: mvcc: required revision has been compacted', false, false],
])('%s %s', (code, details, isMembers, isTokens) => {
  const fault = callFault(Object.assign(new Error('x'), { code, details }));
  expect([isMembersFault(fault), isTokensFault(fault)]).toEqual([isMembers, isTokens]);
});

test('what is no error of gRPC is a fault of its own', () => {
  expect(callFault(new Error('the store is closed'))).toEqual({
    code: status.UNKNOWN,
    details: 'the store is closed',
  });
});
