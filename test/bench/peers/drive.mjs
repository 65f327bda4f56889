// drive.mjs PEER N: N jobs through a queue from npm, by two processes; prints jobs a second.
//
// PEER.mjs exports setUp(), which makes the queue; left(), how many jobs are not done; and open(), which returns run(n):
// add n jobs, 100 a call, and take part in doing them until stop(). The clock runs from the first call to the commit of
// the last.
import { fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

const PROCESSES = 2;
const [, self, name, count, role] = process.argv;
const peer = await import(`./${name}.mjs`);

if (role === 'worker') {
  const client = await peer.open();
  process.on('message', async (message) => {
    if (message === 'go') {
      await client.add(Number(count));
      process.send('added');
    } else {
      await client.stop();
      process.exit(0);
    }
  });
  process.send('ready');
} else {
  await peer.setUp();
  const share = Math.ceil(Number(count) / PROCESSES);
  const workers = Array.from({ length: PROCESSES }, () => fork(self, [name, String(share), 'worker']));
  const all = (what) => Promise.all(workers.map((w) => new Promise((resolve, reject) => {
    w.once('message', (m) => (m === what ? resolve() : reject(new Error(m))));
    w.once('exit', () => reject(new Error('a worker ended')));
  })));
  await all('ready');
  const added = all('added');
  const start = process.hrtime.bigint();
  workers.forEach((w) => w.send('go'));
  await added;
  while (await peer.left() > 0) await sleep(10);
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  console.log((share * PROCESSES / seconds).toFixed(1));
  workers.forEach((w) => { w.removeAllListeners('exit'); w.send('stop'); });
  await peer.close();
}
