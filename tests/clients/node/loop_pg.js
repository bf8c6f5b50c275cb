// One node-postgres session that asks for the same address in every way the driver has.
// Reads commands from stdin: `read` answers a JSON object (way -> address), `request` asks for access.
'use strict';
const readline = require('readline');
const { Client } = require('pg');

const SQL = 'SELECT email FROM customers WHERE id = $1';
const REQUEST =
  "SELECT * FROM keyhole.request('customers.email', '30 minutes', 'INC-42: refund')";

async function read(client) {
  const first = (result) => {
    const value = Object.values(result.rows[0])[0];
    return Buffer.isBuffer(value) ? value.toString() : value;
  };
  return {
    simple: first(await client.query(SQL.replace('$1', '5'))),
    extended: first(await client.query(SQL, [5])),
    prepared: first(await client.query({ name: 'kept', text: SQL, values: [5] })),
    binary: first(await client.query({ text: SQL, values: [5], binary: true })),
    array: (await client.query({ text: SQL, values: [5], rowMode: 'array' })).rows[0][0],
    portal: first(await client.query({ text: SQL, values: [5], rows: 1 })),
  };
}

async function main() {
  const client = new Client();
  await client.connect();
  for await (const line of readline.createInterface({ input: process.stdin })) {
    if (line.trim() === 'read') {
      console.log(JSON.stringify(await read(client)));
    } else {
      await client.query(REQUEST);
      console.log('requested');
    }
  }
  await client.end();
}

main();
