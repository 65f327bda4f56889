// pg-boss in batches of 100: insert(), fetch(), complete(). It keeps what is done.
import { PgBoss } from 'pg-boss';
import pg from 'pg';

const LOOPS = 4;
const pool = new pg.Pool({ max: 2 });
const boss = new PgBoss({ host: process.env.PGHOST, user: process.env.PGUSER, database: process.env.PGDATABASE, max: LOOPS, supervise: false, schedule: false });
boss.on('error', (e) => { throw e; });

export async function setUp() {
  await boss.start();
  await boss.createQueue('item');
}

export async function left() {
  const { rows } = await pool.query("SELECT EXISTS (SELECT FROM pgboss.job WHERE name = 'item' AND state < 'completed')::int AS n");
  return rows[0].n;
}

export async function open() {
  await boss.start();
  return {
    // so many loops at a time, each: 100 jobs in, 100 jobs taken and done
    async add(n) {
      let at = 0;
      await Promise.all(Array.from({ length: LOOPS }, async () => {
        while (at < n) {
          const size = Math.min(100, n - at);
          const from = at;
          at += size;
          await boss.insert('item', Array.from({ length: size }, (_, k) => ({ data: { ref: `item/${process.pid}/${from + k}` } })));
          await take();
        }
      }));
      while (await take() > 0);
    },
    stop: () => boss.stop({ graceful: false }),
  };
}

async function take() {
  const jobs = await boss.fetch('item', { batchSize: 100 });
  if (jobs.length > 0) await boss.complete('item', jobs.map((j) => j.id));
  return jobs.length;
}

export async function close() {
  await boss.stop({ graceful: false });
  await pool.end();
}
