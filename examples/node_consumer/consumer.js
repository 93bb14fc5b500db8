// Keeps the last version of every payment, and what became of every operation, in a JSON file that
// stands for your database.
//
//     npm ci
//     PAYMENTS_KAFKA_BOOTSTRAP=localhost:9092 node consumer.js payments.json
//
// A batch is written first, and only then committed at the brokers. So what was not written comes
// again, and what was written may come again. Both are harmless, because a record counts only if it
// is not older than the row. The program may be killed at any time, and anybody may read everything
// again from the beginning. Several processes can share the work once they share a database: a file
// has room for one.

import { existsSync } from "node:fs";
import { open, readFile, rename } from "node:fs/promises";
import zlib from "node:zlib";
import { decompress } from "fzstd";
import kafkajs from "kafkajs";

const PAYMENTS = process.env.PAYMENT_STATE_TOPIC ?? "payment-state";
const OPERATIONS = process.env.PAYMENT_OPERATIONS_TOPIC ?? "payment-operations";
const GROUP = process.env.CONSUMER_GROUP ?? "payments-table";

// The topics are compressed with zstd, which kafkajs leaves to its users. Node has it from 22.15 on;
// before, fzstd reads it in plain JavaScript.
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
const decompressed = zlib.zstdDecompressSync ?? decompress;
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: async () => {
    throw new Error("this program only reads");
  },
  decompress: async (bytes) => Buffer.from(decompressed(bytes)),
});

/** Returns the table that was stored in this file; an empty one if there is no file. */
async function load(path) {
  if (!existsSync(path)) return { payments: {}, operations: {} };
  return JSON.parse(await readFile(path, "utf8"));
}

/** Replaces the file: whole, or not at all, and so that it survives a power cut. */
async function store(path, table) {
  const file = await open(`${path}.new`, "w");
  try {
    await file.writeFile(JSON.stringify(table));
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(`${path}.new`, path);
}

/** Puts a version in its row, unless the row has a newer one. */
function putPayment(table, payment, headers) {
  // Of two records of one version the later one counts: a quarantine began or ended.
  if (payment.version < (table.payments[payment.id]?.version ?? 0)) return;
  table.payments[payment.id] = {
    version: payment.version,
    quarantined: headers.ce_quarantined?.toString() === "true",
    document: payment,
  };
}

/**
 * Puts a change in its operation's row. After `applied` comes `done` or `refused`, and after these
 * and `rejected` nothing. So a row changes exactly once for each operation and status: here is the
 * place to act on a change.
 */
function putOperation(table, operation) {
  const row = table.operations[operation.id];
  if (row && (row.status !== "applied" || operation.status === "applied")) return;
  const { payment_id, type, status, code, reason, version } = operation;
  table.operations[operation.id] = { payment_id, type, status, code, reason, version };
}

const [path] = process.argv.slice(2);
const table = await load(path);
const kafka = new Kafka({
  brokers: process.env.PAYMENTS_KAFKA_BOOTSTRAP.split(","),
  logLevel: logLevel.WARN,
});
const consumer = kafka.consumer({
  groupId: GROUP,
  readUncommitted: false, // what a worker left half written is not read
  sessionTimeout: 6000, // after a kill another process goes on after this time
  maxWaitTimeInMs: 500, // it stops as soon as this
});

// kafkajs goes on by itself after an outage; where it does not, another start may help.
consumer.on(consumer.events.CRASH, ({ payload }) => {
  if (!payload.restart) process.exit(1);
});
for (const signal of ["SIGINT", "SIGTERM"]) {
  process.once(signal, async () => {
    await consumer.disconnect(); // leaves the group
    process.exit(0);
  });
}

await consumer.connect();
// a new group begins with the oldest record, and so does one that was away for too long
await consumer.subscribe({ topics: [PAYMENTS, OPERATIONS], fromBeginning: true });
await consumer.run({
  autoCommit: false,
  eachBatch: async ({ batch }) => {
    for (const { value, headers } of batch.messages) {
      const found = JSON.parse(value.toString());
      if (batch.topic === OPERATIONS) putOperation(table, found);
      else putPayment(table, found, headers);
    }
    await store(path, table);
    const { topic, partition } = batch;
    const offset = (BigInt(batch.lastOffset()) + 1n).toString();
    await consumer.commitOffsets([{ topic, partition, offset }]);
  },
});
