// A shop on the client that a generator made: run with the service's URL and an API key.
// Prints what became of a payment, of a declined one, and of a wrong request, as JSON.

import createClient from "openapi-fetch";
import type { components, paths } from "./schema.ts";

declare const process: { argv: string[] };

type Payment = components["schemas"]["Payment"];

const WITHIN_MS = 30_000;
const [url = "", key = ""] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${key}` } });

async function create(amount: number, paymentMethod: string) {
  return await client.POST("/v1/payments", {
    params: { header: { "Idempotency-Key": crypto.randomUUID() } },
    body: { amount, currency: "EUR", payment_method: paymentMethod },
  });
}

/** Reads the payment until it has ended. Without data nothing is known of it yet. */
async function ended(id: string): Promise<Payment> {
  const deadline = Date.now() + WITHIN_MS;
  while (Date.now() < deadline) {
    const params = { path: { id }, header: { Prefer: "wait=3" } };
    const { data } = await client.GET("/v1/payments/{id}", { params });
    if (data && ["SUCCEEDED", "FAILED", "CANCELED"].includes(data.status)) return data;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${id} has not ended`);
}

async function buy(paymentMethod: string): Promise<Payment> {
  const { data, error } = await create(1999, paymentMethod);
  if (!data) throw new Error(`not accepted: ${JSON.stringify(error)}`);
  return await ended(data.id);
}

const paid = await buy("pm_card_visa");
const declined = await buy("pm_card_chargeDeclined");
const { error } = await create(-1, "pm_card_visa");
// the type of the problem says that it has fields: the compiler knows it
const wrong = error && "errors" in error ? error : undefined;

console.log(
  JSON.stringify({
    paid: { status: paid.status, captured: paid.amounts.captured },
    declined: { status: declined.status, code: declined.failure?.code ?? null },
    wrong: { type: wrong?.type, fields: wrong?.errors?.map((each) => each.field) },
  }),
);
