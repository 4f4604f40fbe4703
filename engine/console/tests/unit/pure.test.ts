import assert from 'node:assert/strict';
import test from 'node:test';
import { foldEmail, passwordHash, strength } from '../../app/api/hash.ts';
import { haystack, select, type Columns, type Filter } from '../../app/screens/fleet.ts';

test('the hash is the one of Blynk’s clients', () => {
  assert.equal(passwordHash('john@example.com', 'mySuperSecretPassword'), 'vfj9huCdn/AWs2Rq5Mc3aq+VvnqF+hzdy6sStmxB0UE=');
  assert.equal(passwordHash(' John@Example.com', 'mySuperSecretPassword'), 'vfj9huCdn/AWs2Rq5Mc3aq+VvnqF+hzdy6sStmxB0UE=');
});

test('only ASCII letters are folded', () => {
  assert.equal(foldEmail('\u212Aate@Example.COM'), '\u212Aate@example.com');
  assert.equal(foldEmail('ÄRGER@X.DE'), 'Ärger@x.de');
});

test('weak passwords are weak', () => {
  for (const weak of ['', 'short', 'password1', '12345678', 'aaaaaaaaaaaa', 'mara1234']) assert.ok(strength(weak, 'mara@example.com') < 2, weak);
  for (const good of ['correct horse battery', 'T9#kd-Lw02xq']) assert.ok(strength(good, 'mara@example.com') >= 2, good);
});

function fleet(count: number): Columns {
  const rows = Array.from({ length: count }, (_, n) => n);
  return {
    id: rows.map((n) => n + 1), org: rows.map(() => 1), name: rows.map((n) => `Sensor ${n}`), template: rows.map((n) => (n % 2 ? 'A' : null)), template_name: rows.map((n) => (n % 2 ? 'Kind A' : null)),
    online: rows.map((n) => (n % 3 === 0 ? null : n % 3 === 1)), since_ms: rows.map((n) => n), seen_ms: rows.map((n) => (n % 3 === 0 ? null : n)), tags: rows.map((n) => (n % 5 === 0 ? ['roof'] : [])), trouble: rows.map((n) => (n % 10 === 0 ? 302 : null)),
    pin: rows.map(() => 'V0'), value: rows.map(String), value_ms: rows.map((n) => n), unit: rows.map(() => null),
  };
}
const ANY: Filter = { q: '', show: 'all', template: '', tag: '', meta: '', sort: 'name', down: false };

test('filters and order of the list', () => {
  const c = fleet(60);
  const hay = haystack(c);
  const pick = (parts: Partial<Filter>) => select(c, hay, { ...ANY, ...parts }).map((n) => c.id[n]!);
  assert.equal(pick({}).length, 60);
  assert.deepEqual(pick({ q: 'sensor 59' }), [59, 60], 'a word is found in the name or the id');
  assert.equal(pick({ q: 'roof' }).length, 12);
  assert.equal(pick({ show: 'online' }).length, 20);
  assert.equal(pick({ show: 'never' }).length, 20);
  assert.equal(pick({ show: 'trouble' }).length, 6);
  assert.equal(pick({ template: 'A', tag: 'roof' }).length, 6);
  assert.deepEqual(pick({}).slice(0, 3), [1, 2, 3], 'numbers in names are in the order of numbers');
  assert.deepEqual(pick({ down: true })[0], 60);
  assert.equal(pick({ sort: 'seen' })[0], 60);
});

test('ten thousand devices are filtered in a moment', () => {
  const c = fleet(10_000);
  const hay = haystack(c);
  select(c, hay, { ...ANY, q: '99' });
  const begun = performance.now();
  for (let n = 0; n < 5; n++) select(c, hay, { ...ANY, q: `${n} roof` });
  const each = (performance.now() - begun) / 5;
  assert.ok(each < 100, `${each} ms`);
});
