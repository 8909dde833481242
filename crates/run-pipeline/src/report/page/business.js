// What Gold says: sales by month and currency, customers by segment, what campaigns brought.
const MODELS = { first_touch: "First touch", last_touch: "Last touch", linear: "Linear", time_decay: "Time decay", position_based: "Position based" };

function businessSection(data) {
  const note = "From the newest version of the Gold tables. Money is net of discounts, returns and cancellations.";
  return section("business", "Business", note, el("div", { class: "cards" }, sales(data.gold.sales), segments(data.gold.segments), attribution(data.gold.attribution)));
}

function sales(found) {
  const title = "Net sales by month and currency";
  if (!found || !found.months.length) return wide(title, null, empty("No sales yet: gold_fact_sales has no rows."));
  const months = found.months.map((month) => month.month);
  const of = (month, currency) => month.currencies.find((one) => one.currency === currency);
  const sets = found.currencies.map((currency, at) => ({
    label: currency, colour: series(at),
    values: found.months.map((month) => Number(of(month, currency)?.net_usd ?? 0)),
    texts: found.months.map((month) => decimal(of(month, currency)?.net_usd, 2) + " USD"),
  }));
  const columns = [
    { title: "Month", of: (row) => row.month.month, kind: "name" },
    { title: "Currency", of: (row) => row.currency },
    { title: "Net in currency", of: (row) => decimal(row.net_amount, 2), kind: "number" },
    { title: "Net in USD", of: (row) => decimal(row.net_usd, 2), kind: "number" },
    { title: "Lines sold", of: (row) => count(row.sales), kind: "number" },
    { title: "Returned or cancelled", of: (row) => count(row.reversals), kind: "number" },
  ];
  const rows = found.months.flatMap((month) => month.currencies.map((one) => ({ month, ...one }))).reverse();
  const totals = [columns[0], { title: "Net in USD", of: (row) => decimal(row.month.net_usd, 2), kind: "number" }];
  const newest = [...found.months].reverse().slice(0, 6).map((month) => ({ month }));
  const note = "Stacked by the currency of the order, converted to US dollars at the rate of the day of the sale. The newest month may still be incomplete.";
  return wide(title, note,
    el("div", { class: "beside" },
      plot({ label: title + ", stacked bars in US dollars", draw: () => bars({ labels: months, sets, stacked: true, names: "Month", values: "US dollars" }) }),
      table("Newest months, all currencies", totals, newest)),
    folded("All months and currencies", table("Net sales", columns, rows)));
}

function segments(found) {
  const title = "Customers by segment";
  if (!found || !found.segments.length) return card(title, null, empty("No segments yet: gold_customer_segments has no rows."));
  const few = "fewer than " + found.threshold;
  const shown = (number) => (known(number) ? count(number) : few);
  const columns = [
    { title: "Segment", of: (row) => row.segment, kind: "name" },
    { title: "Customers", of: (row) => shown(row.customers), kind: "number" },
    { title: "Net USD so far", of: (row) => decimal(row.monetary_usd, 0), kind: "number" },
  ];
  if (found.before) columns.splice(2, 0, { title: "On " + found.before, of: (row) => shown(row.before), kind: "number" });
  const set = { label: "Customers", colour: "series-1", values: found.segments.map((one) => one.customers ?? 0), texts: found.segments.map((one) => shown(one.customers)) };
  const labels = found.segments.map((one) => one.segment);
  return card(title, "As of " + found.as_of_date + ". Groups of " + few + " customers are not told.",
    plot({ label: title + ", bars", draw: () => bars({ labels, sets: [set], flat: true, values: "Customers" }) }),
    table("Segments as of " + found.as_of_date, columns, found.segments));
}

function attribution(found) {
  const title = "Sales that campaigns brought, by attribution model";
  if (!found || !found.models.length) return card(title, null, empty("No attribution yet: gold_marketing_attribution has no rows."));
  const models = found.models.map((model) => model.model);
  const sets = models.map((model, at) => ({
    label: MODELS[model] ?? model, colour: series(at),
    values: found.campaigns.map((campaign) => Number(campaign.attributed_usd[model] ?? 0)),
    texts: found.campaigns.map((campaign) => decimal(campaign.attributed_usd[model], 2) + " USD"),
  }));
  const totals = [
    { title: "Model", of: (row) => MODELS[row.model] ?? row.model, kind: "name" },
    { title: "Orders", of: (row) => decimal(row.conversions, 1), kind: "number" },
    { title: "USD", of: (row) => decimal(row.attributed_usd, 0), kind: "number" },
    { title: "Cost", of: (row) => decimal(row.cost_usd, 0), kind: "number" },
    { title: "USD per USD spent", of: (row) => decimal(row.roas), kind: "number" },
  ];
  const all = [
    { title: "Campaign", of: (row) => row.campaign, kind: "name" },
    { title: "Cost", of: (row) => decimal(row.cost_usd, 2), kind: "number" },
    ...models.map((model) => ({ title: MODELS[model] ?? model, of: (row) => decimal(row.attributed_usd[model], 2), kind: "number" })),
  ];
  const shown = found.campaigns.length ? plot({
    label: title + ", grouped bars in US dollars", height: 90 + found.campaigns.length * 46,
    draw: () => bars({ labels: found.campaigns.map((one) => one.campaign), sets, flat: true, names: "Campaign", values: "US dollars" }),
  }) : empty("No campaign brought a sale yet.");
  const some = found.campaigns.length < found.campaigns_all ? "The " + found.campaigns.length + " campaigns with the most sales of " + found.campaigns_all + ". " : "";
  const without = "Sales without any touch of a campaign: " + decimal(found.unattributed_usd, 0) + " USD in " + decimal(found.unattributed_orders, 0) + " orders.";
  return card(title, some + "Orders from " + found.from + " to " + found.to + ". " + without, shown,
    table("All campaigns together, by model", totals, found.models), folded("Campaigns, US dollars by model", table("Campaigns", all, found.campaigns)));
}
