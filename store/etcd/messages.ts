// The messages of etcd's API version 3 that we exchange, by the names and numbers of its rpc.proto, kv.proto and auth.proto (etcd 3.4;
// later versions only add fields). Nothing here talks to anybody.
import { bool, bytes, int32, int64, list, message, nested, type OutputOf, string, uint64 } from './wire.ts';

const header = message({ cluster_id: uint64(1), member_id: uint64(2), revision: int64(3) });

export const keyValue = message({
  key: bytes(1),
  create_revision: int64(2),
  mod_revision: int64(3),
  version: int64(4),
  value: bytes(5),
  lease: int64(6),
});
export type KeyValue = Readonly<OutputOf<typeof keyValue>>;

export const rangeRequest = message({
  key: bytes(1),
  range_end: bytes(2),
  limit: int64(3),
  revision: int64(4),
  serializable: bool(7),
  min_mod_revision: int64(10),
});
export const rangeResponse = message({
  header: nested(1, header),
  kvs: list(2, keyValue),
  more: bool(3),
  count: int64(4),
});

const putRequest = message({ key: bytes(1), value: bytes(2), lease: int64(3) });
const deleteRangeRequest = message({ key: bytes(1), range_end: bytes(2) });
const requestOp = message({
  request_range: nested(1, rangeRequest),
  request_put: nested(2, putRequest),
  request_delete_range: nested(3, deleteRangeRequest),
});
const responseOp = message({ response_range: nested(1, rangeResponse) });

export const compareResult = { equal: 0, greater: 1, less: 2 } as const;
export const compareTarget = { version: 0, create: 1, mod: 2, value: 3, lease: 4 } as const;
const compare = message({
  result: int32(1),
  target: int32(2),
  key: bytes(3),
  version: int64(4),
  create_revision: int64(5),
  mod_revision: int64(6),
  value: bytes(7),
  lease: int64(8),
  range_end: bytes(64),
});

export const txnRequest = message({
  compare: list(1, compare),
  success: list(2, requestOp),
  failure: list(3, requestOp),
});
export const txnResponse = message({
  header: nested(1, header),
  succeeded: bool(2),
  responses: list(3, responseOp),
});

export const leaseGrantRequest = message({ TTL: int64(1), ID: int64(2) });
export const leaseGrantResponse = message({
  header: nested(1, header),
  ID: int64(2),
  TTL: int64(3),
  error: string(4),
});
export const leaseRevokeRequest = message({ ID: int64(1) });
export const leaseRevokeResponse = message({ header: nested(1, header) });
export const leaseKeepAliveRequest = message({ ID: int64(1) });
export const leaseKeepAliveResponse = message({ header: nested(1, header), ID: int64(2), TTL: int64(3) });

export const eventType = { put: 0, delete: 1 } as const;
const event = message({ type: int32(1), kv: nested(2, keyValue) });
const watchCreateRequest = message({
  key: bytes(1),
  range_end: bytes(2),
  start_revision: int64(3),
  progress_notify: bool(4),
  watch_id: int64(7),
  fragment: bool(8),
});
export const watchRequest = message({ create_request: nested(1, watchCreateRequest) });
export const watchResponse = message({
  header: nested(1, header),
  watch_id: int64(2),
  created: bool(3),
  canceled: bool(4),
  compact_revision: int64(5),
  cancel_reason: string(6),
  fragment: bool(7),
  events: list(11, event),
});
export type WatchResponse = OutputOf<typeof watchResponse>;

export const authenticateRequest = message({ name: string(1), password: string(2) });
export const authenticateResponse = message({ header: nested(1, header), token: string(2) });
