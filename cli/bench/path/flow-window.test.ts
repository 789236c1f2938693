import { expect, test } from '@jest/globals';
import { FlowWindow } from './flow-window.ts';

test('opens as far as was heard', () => {
  const window = new FlowWindow(2);
  expect([window.next(), window.next(), window.isOpen]).toEqual([0, 1, false]);
  window.hear({ upTo: 1, received: 1 });
  expect([window.isOpen, window.isEmpty]).toEqual([true, false]);
  window.hear({ upTo: 2, received: 2 });
  expect([window.isEmpty, window.received, window.lost]).toEqual([true, 2, 0]);
});

test('what is lost does not close it', () => {
  const window = new FlowWindow(2);
  window.next();
  window.next();
  window.giveUp();
  expect([window.isOpen, window.received, window.lost]).toEqual([true, 0, 2]);
  window.next();
  window.hear({ upTo: 3, received: 2 });
  expect([window.isEmpty, window.received, window.lost]).toEqual([true, 2, 1]);
});

test.each([
  ['older than before', { upTo: 1, received: 1 }],
  ['of more than was sent', { upTo: 4, received: 1 }],
  ['more came than were sent', { upTo: 3, received: 4 }],
])('passes over what cannot be: %s', (_, heard) => {
  const window = new FlowWindow(8);
  for (let i = 0; i < 3; i++) window.next();
  window.hear({ upTo: 2, received: 2 });
  window.hear(heard);
  expect([window.isEmpty, window.received, window.lost]).toEqual([false, 2, 1]);
});
