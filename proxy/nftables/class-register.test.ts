import { expect, test } from '@jest/globals';
import { ClassRegister } from './class-register.ts';
import { Journal } from './journal.ts';
import { className, type TrafficClass } from './traffic-class.ts';

const external = (count: number, stickySeconds?: number): TrafficClass => ({
  kind: 'external',
  choice: { list: 'cluster', count, stickySeconds },
});
const internal = (count: number): TrafficClass => ({
  kind: 'internal',
  choice: { list: 'cluster', count, stickySeconds: undefined },
});
const numbers = (register: ClassRegister) =>
  [...register.classes].map(({ number, trafficClass }) => `${number} ${className(trafficClass)}`);

test('a class has a number while it is used; a choice is there while a class leads to it', () => {
  const register = new ClassRegister();
  const journal = new Journal();
  expect(register.use(internal(3), journal)).toMatchObject({ number: 3, choices: [{ count: 3 }] });
  expect(register.use(internal(3), journal)).toBeUndefined();
  expect(register.use(external(3), journal)).toMatchObject({ number: 4, choices: [] });
  register.release('internal-3', journal);
  expect(register.removeIdleClasses()).toEqual([]);
  register.release('internal-3', journal);
  expect(register.removeIdleClasses()).toMatchObject([{ number: 3 }]);
  expect(register.removeIdleChoices()).toEqual([]);
  register.release('external-3', journal);
  register.removeIdleClasses();
  expect(register.removeIdleChoices()).toMatchObject([{ count: 3 }]);
  expect(numbers(register)).toEqual(['1 refuse', '2 discard']);
});

test('what is taken back was never there', () => {
  const register = new ClassRegister();
  const journal = new Journal();
  register.use(internal(3), journal);
  journal.undo();
  expect(numbers(register)).toEqual(['1 refuse', '2 discard']);
  expect(register.use(internal(4), journal)).toMatchObject({ choices: [{ count: 4 }] });
});

test('numbers in the kernel stay', () => {
  const register = new ClassRegister(
    new Map([
      ['internal-3', 7],
      ['discard', 1],
      ['gone', 9],
    ]),
  );
  register.prepare(internal(3));
  register.prepare(external(3));
  expect(numbers(register)).toEqual(['10 refuse', '1 discard', '7 internal-3', '11 external-3']);
});

test('there are no more than 4,095', () => {
  const register = new ClassRegister();
  const journal = new Journal();
  for (let i = 1; i <= 4093; i++) register.use(external(1, i), journal);
  expect(() => register.use(external(1, 5000), journal)).toThrow(/4095 kinds of traffic are the most/);
  expect(register.use(external(1, 4093), journal)).toBeUndefined();
});
