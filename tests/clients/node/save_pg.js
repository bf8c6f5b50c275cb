// Reads whole rows with node-postgres and saves every column by hand, and as upserts.
// Prints a JSON object, table -> "saved" or what went wrong.
'use strict';
const { Client } = require('pg');

const TABLES = JSON.parse(process.env.KEYHOLE_TABLES);
const GENERATED = ['email_lower', 'email_md5'];
const quoted = (name) => `"${name}"`;
const qualified = (table) => table.split('.').map(quoted).join('.');

function changed(value) {
  // A toggle would be undone by the next way of saving.
  if (typeof value === 'boolean') return true;
  if (typeof value === 'number') return value + 1;
  if (value instanceof Date) return new Date(value.getTime() + 24 * 3600 * 1000);
  if (/^\d+\.\d+$/.test(value)) return (Number(value) + 1).toFixed(2);
  return `${value}!`;
}

async function read(client, table) {
  const keys = Object.keys(table.key).map((key, n) => `${quoted(key)} = $${n + 1}`);
  const text = `SELECT * FROM ${qualified(table.table)} WHERE ${keys.join(' AND ')}`;
  const row = (await client.query(text, Object.values(table.key))).rows[0];
  for (const column of GENERATED) delete row[column];
  row[table.field] = changed(row[table.field]);
  return row;
}

async function update(client, table, name) {
  const row = await read(client, table);
  const columns = Object.keys(row);
  const sets = columns.map((column, n) => `${quoted(column)} = $${n + 1}`);
  const keys = Object.keys(table.key).map((key, n) => `${quoted(key)} = $${columns.length + n + 1}`);
  const text =
    `UPDATE ${qualified(table.table)} SET ${sets.join(', ')} WHERE ${keys.join(' AND ')}`;
  const values = [...Object.values(row), ...Object.values(table.key)];
  const result = await client.query({ name, text, values });
  if (result.rowCount !== 1) throw new Error(`${result.rowCount} rows`);
}

async function upsert(client, table) {
  if (table.no_upsert) return;
  const row = await read(client, table);
  const columns = Object.keys(row);
  const values = columns.map((_, n) => `$${n + 1}`);
  const sets = columns.map((column) => `${quoted(column)} = EXCLUDED.${quoted(column)}`);
  const text =
    `INSERT INTO ${qualified(table.table)} (${columns.map(quoted).join(', ')}) ` +
    `VALUES (${values.join(', ')}) ON CONFLICT (${Object.keys(table.key).map(quoted).join(', ')}) ` +
    `DO UPDATE SET ${sets.join(', ')}`;
  const result = await client.query(text, Object.values(row));
  if (result.rowCount !== 1) throw new Error(`${result.rowCount} rows`);
}

const WAYS = {
  update: (client, table) => update(client, table, undefined),
  'update, prepared': (client, table) => update(client, table, `save ${table.table}`),
  upsert,
};

async function main() {
  const client = new Client();
  await client.connect();
  const outcomes = {};
  for (const table of TABLES) {
    for (const [name, way] of Object.entries(WAYS)) {
      try {
        await way(client, table);
        outcomes[`${table.table}: ${name}`] = 'saved';
      } catch (error) {
        outcomes[`${table.table}: ${name}`] = `${error.code}: ${error.message} ${error.detail}`;
      }
    }
  }
  console.log(JSON.stringify(outcomes));
  await client.end();
}

main();
