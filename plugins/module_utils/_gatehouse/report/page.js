/* Copyright (c) 2026, the gatehouse.salesforce authors
   GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
   SPDX-License-Identifier: GPL-3.0-or-later */
"use strict";

// Whatever a name holds, it reaches the page as text: by textContent and setAttribute, and never as markup.
const PAGE = 100, MOST_PRINTED = 5000, EVENTS = 20, DAYS = 92;
const WAYS = ["soap_login", "username_password_flow", "oauth", "browser", "single_sign_on", "other"];
const DATA = JSON.parse(document.getElementById("data").textContent);
const state = { table: DATA.tables[0], org: "", words: "", column: -1, down: false, page: 0 };
const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

function drawn(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

const counted = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;
const withTitle = (shape, text) => { shape.append(drawn("title", {}, text)); return shape; };
const cellText = (cell, column) => (column.kind === "text" ? DATA.strings[cell] : String(BigInt(cell)));  // of IPv6, in full

// -- rows -------------------------------------------------------------------------------------------------------------

let lowered = null, ranks = null;

function matching(words) {
  lowered ??= DATA.strings.map((text) => text.toLowerCase());
  return words.toLowerCase().split(/\s+/).filter(Boolean).map((word) => ({
    word, among: new Set(lowered.flatMap((text, number) => (text.includes(word) ? [number] : []))),
  }));
}

function foundRows(table, org, words) {
  const needles = matching(words);
  const texts = table.columns.map((column) => column.kind === "text");
  const number = org === "" ? -1 : DATA.strings.indexOf(org);
  return table.rows.filter((row) => (org === "" || row[0] === number) && needles.every(({ word, among }) =>
    row.some((cell, place) => (texts[place] ? among.has(cell) : String(cell).includes(word)))));
}

function sorted(rows, table, column, down) {
  if (column < 0) return rows;
  let value = (row) => row[column];
  if (table.columns[column].kind === "text") {
    if (ranks === null) {
      const compare = new Intl.Collator("en", { numeric: true }).compare;
      const order = DATA.strings.map((_text, number) => number);
      order.sort((one, two) => compare(DATA.strings[one], DATA.strings[two]));
      ranks = [];
      order.forEach((number, rank) => { ranks[number] = rank; });
    }
    value = (row) => ranks[row[column]];
  }
  const sign = down ? -1 : 1;
  return rows.slice().sort((one, two) => sign * (value(one) - value(two)));
}

function showRows(most = PAGE) {
  const { table, org, words, column, down } = state;
  const rows = sorted(foundRows(table, org, words), table, column, down);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = Math.min(state.page, pages - 1);
  const first = most === PAGE ? state.page * PAGE : 0;
  const body = element("tbody");
  for (const row of rows.slice(first, first + most)) {
    body.append(element("tr", {}, ...row.map((cell, place) => {
      const text = cellText(cell, table.columns[place]);
      const severity = table.name === "findings" && place === 1 ? text : "";
      return element("td", { class: severity || table.columns[place].kind }, text);
    })));
  }
  const head = element("tr", {}, ...table.columns.map((each, place) => {
    const order = place !== column ? "none" : down ? "descending" : "ascending";
    const button = element("button", { type: "button" }, each.title);
    button.addEventListener("click", () => sortBy(place));
    return element("th", { scope: "col", "aria-sort": order }, button);
  }));
  const caption = `${table.title}, ${rows.length} of ${table.rows.length}`;
  byId("table").replaceChildren(element("table", { "aria-label": caption }, element("thead", {}, head), body));
  const last = Math.min(first + most, rows.length);
  byId("shown").textContent = rows.length ? `${counted(rows.length, "row")}, ${first + 1} to ${last} shown` : "No rows";
  byId("before").disabled = state.page === 0;
  byId("after").disabled = state.page >= pages - 1;
}

function sortBy(column) {
  state.down = state.column === column && !state.down;
  state.column = column;
  state.page = 0;
  showRows();
  byId("table").querySelectorAll("th button")[column].focus();
}

function choose(table) {
  Object.assign(state, { table, column: -1, down: false, page: 0 });
  for (const tab of byId("tabs").children) {
    const selected = tab.id === `tab-${table.name}`;
    tab.setAttribute("aria-selected", selected);
    tab.tabIndex = selected ? 0 : -1;
  }
  byId("panel").setAttribute("aria-labelledby", `tab-${table.name}`);
  byId("about").textContent = table.about;
  showRows();
}

// -- drawings ---------------------------------------------------------------------------------------------------------

function drawing(label, height, items) {
  return drawn("svg", { viewBox: `0 0 1000 ${height}`, role: "list", "aria-label": label }, ...items);
}

function item(label, ...shapes) {
  return drawn("g", { role: "listitem", tabindex: 0, "aria-label": label }, ...shapes);
}

function timeline(events, today) {
  const shown = events.filter((event) => event.day >= today).slice(0, EVENTS);
  const past = events.filter((event) => event.day < today).slice(-EVENTS);
  const all = [...past, ...shown];
  if (!all.length) return element("p", {}, "Nothing that ends is known.");
  const time = (day) => Date.parse(`${day}T00:00:00Z`);
  const start = time(all[0].day < today ? all[0].day : today), end = Math.max(time(all[all.length - 1].day), start + 864e5);
  const place = (day) => 20 + (260 * (time(day) - start)) / (end - start);
  const height = 24 * all.length + 12;
  const items = all.map((event, number) => {
    const y = 24 * number + 18, over = event.day < today;
    const text = `${event.day}${over ? " (over)" : ""}: ${event.text}`;
    return item(text,
      drawn("line", { x1: 20, x2: place(event.day), y1: y, y2: y, class: "axis" }),
      drawn("circle", { cx: place(event.day), cy: y, r: 6, class: `dot ${event.what}${over ? " past" : ""}` }),
      drawn("text", { x: 300, y: y + 5 }, text.length > 100 ? `${text.slice(0, 99)}…` : text));
  });
  const left = events.length - all.length;
  return element("div", {}, drawing("What ends when", height, items), ...(left > 0 ? [element("p", {}, `and ${left} more`)] : []));
}

function strips(name, drawingData) {
  const items = drawingData.strips.map((strip, number) => {
    const y = 46 * number + 6, place = (part) => 260 + 720 * part;
    const bars = strip.bars.map((bar) => withTitle(drawn("rect", {
      x: place(bar.from), y: bar.kind === "trusted" ? y + 2 : y + 12, width: Math.max(3, 720 * (bar.to - bar.from)), height: 8,
      class: `bar ${bar.kind}`,
    }), bar.text));
    const ticks = strip.ticks.map((tick) => withTitle(drawn("line", {
      x1: place(tick[0]), x2: place(tick[0]), y1: y + 23, y2: y + 36, class: `tick ${tick[4]}`,
    }), tickText(tick)));
    const label = [strip.label, ...strip.bars.map((bar) => bar.text), ...strip.ticks.map(tickText)].join("; ");
    return item(label, drawn("text", { x: 8, y: y + 24 }, strip.label),
      drawn("line", { x1: 260, x2: 980, y1: y + 22, y2: y + 22, class: "axis" }), ...bars, ...ticks);
  });
  if (!items.length) return element("p", {}, `${name}: no ranges, and no logins.`);
  const made = element("div", {}, element("h3", {}, name), drawing(`Ranges and logins of ${name}`, 46 * items.length + 4, items));
  if (items.length >= DATA.most_strips) made.append(element("p", {}, `No more than ${items.length} parts of the address space are drawn; the tables have all.`));
  return made;
}

function tickText([, address, addresses, count, access]) {
  const more = addresses > 1 ? ` and ${addresses - 1} more addresses` : "";
  return `${address}${more}: ${counted(count, "login")}, ${access.replace("_", " ")}`;
}

function loginsByDay(names) {
  const days = new Map();
  for (const name of names) {
    for (const [day, way, count] of DATA.drawings[name].days) {
      const ways = days.get(day) ?? new Map();
      ways.set(way, (ways.get(way) ?? 0) + count);
      days.set(day, ways);
    }
  }
  return [...days.entries()].sort(([one], [two]) => (one < two ? -1 : 1)).slice(-DAYS);
}

function columns(days) {
  if (!days.length) return element("p", {}, "No logins.");
  const sums = days.map(([, ways]) => [...ways.values()].reduce((sum, count) => sum + count, 0));
  const highest = Math.max(...sums), width = 980 / days.length;
  const items = days.map(([day, ways], number) => {
    let y = 150;
    const shapes = WAYS.filter((way) => ways.has(way)).map((way) => {
      const height = (140 * ways.get(way)) / highest;
      y -= height;
      return drawn("rect", { x: 10 + width * number, y, width: Math.max(1, Math.min(40, width - 2)), height, class: `way-${WAYS.indexOf(way)}` });
    });
    const label = `${day}: ${WAYS.filter((way) => ways.has(way)).map((way) => `${way} ${ways.get(way)}`).join(", ")}`;
    return withTitle(item(label, ...shapes), label);
  });
  const ends = drawn("g", { role: "presentation" });
  ends.append(drawn("text", { x: 10, y: 168 }, days[0][0]), drawn("text", { x: 990, y: 168, "text-anchor": "end" }, days[days.length - 1][0]));
  items[items.length - 1].append(ends);
  return drawing(`Logins by way and day, ${highest} on the busiest`, 176, items);
}

function showDrawings() {
  const names = state.org === "" ? Object.keys(DATA.drawings) : [state.org].filter((name) => Object.hasOwn(DATA.drawings, name));
  byId("days").replaceChildren(columns(loginsByDay(names)));
  const few = names.length <= 3;
  byId("ranges").replaceChildren(...(names.length === 0 ? [element("p", {}, "This org could not be read.")]
    : few ? names.map((name) => strips(name, DATA.drawings[name]))
      : [element("p", {}, "Choose an org to see where its ranges lie, and where its logins came from.")]));
}

// -- the page ---------------------------------------------------------------------------------------------------------

function start() {
  byId("when").textContent = `Generated ${DATA.generated}${DATA.since ? `, after the report of ${DATA.since}` : ""}`;
  for (const [severity, count] of Object.entries(DATA.severities)) {
    byId("counts").append(element("li", { class: severity }, `${count} ${severity}`));
  }
  for (const [name, rule] of Object.entries(DATA.rules)) {
    const limits = Object.entries(rule.limits).filter(([, value]) => value !== null).map(([key, value]) => `${key}: ${JSON.stringify(value)}`);
    byId("rules").append(element("li", {}, `${name} (${[rule.severity, ...limits].join(", ")}): ${rule.says}`));
  }
  const orgs = DATA.tables.find((table) => table.name === "orgs").rows.map((row) => DATA.strings[row[0]]);
  byId("org").append(...orgs.map((name) => element("option", { value: name }, name)));
  WAYS.forEach((way, number) => byId("ways").append(element("span", { class: `key way-${number}` }), ` ${way.replaceAll("_", " ")}`));
  byId("timeline").append(timeline(DATA.timeline, DATA.generated.slice(0, 10)));
  for (const table of DATA.tables) {
    const tab = element("button", { type: "button", role: "tab", id: `tab-${table.name}`, "aria-controls": "panel" },
      `${table.title} (${table.rows.length})`);
    tab.addEventListener("click", () => choose(table));
    byId("tabs").append(tab);
  }
  byId("tabs").addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const count = DATA.tables.length, next = (DATA.tables.indexOf(state.table) + step + count) % count;
    choose(DATA.tables[next]);
    byId("tabs").children[next].focus();
    event.preventDefault();
  });
  byId("find").addEventListener("submit", (event) => event.preventDefault());
  byId("org").addEventListener("change", (event) => { state.org = event.target.value; state.page = 0; showRows(); showDrawings(); });
  byId("words").addEventListener("input", (event) => { state.words = event.target.value; state.page = 0; showRows(); });
  byId("before").addEventListener("click", () => { state.page -= 1; showRows(); });
  byId("after").addEventListener("click", () => { state.page += 1; showRows(); });
  addEventListener("beforeprint", () => showRows(MOST_PRINTED));
  addEventListener("afterprint", () => showRows());
  choose(state.table);
  showDrawings();
}

start();
