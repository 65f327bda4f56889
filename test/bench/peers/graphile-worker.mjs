// graphile-worker as its guide to performance says: a local queue, reports in batches. It deletes what is done: no history.
import pg from 'pg';
import { Logger, makeWorkerUtils, run } from 'graphile-worker';

const CONCURRENT = 24;
const pool = new pg.Pool({ max: CONCURRENT + 4 });
pool.on('error', () => {});
const logger = new Logger(() => () => {});

export async function setUp() {
  const utils = await makeWorkerUtils({ pgPool: pool, logger });
  await utils.migrate();
  await utils.release();
}

export async function left() {
  const { rows } = await pool.query('SELECT count(*)::int AS n FROM graphile_worker._private_jobs');
  return rows[0].n;
}

export async function open() {
  const runner = await run({
    pgPool: pool,
    logger,
    noHandleSignals: true,
    taskList: { item: async () => {} },
    preset: {
      worker: {
        concurrentJobs: CONCURRENT,
        localQueue: { size: 500 },
        completeJobBatchDelay: 0,
        failJobBatchDelay: 0,
        pollInterval: 20,
      },
    },
  });
  return {
    async add(n) {
      for (let i = 0; i < n; i += 100) {
        const jobs = Array.from({ length: Math.min(100, n - i) }, (_, k) => ({ identifier: 'item', payload: { ref: `item/${process.pid}/${i + k}` } }));
        await pool.query('SELECT count(*) FROM graphile_worker.add_jobs(ARRAY(SELECT json_populate_recordset(null::graphile_worker.job_spec, $1::json)))',
          [JSON.stringify(jobs)]);
      }
    },
    stop: () => runner.stop(),
  };
}

export const close = () => pool.end();
