// The menus offer what was measured; a choice sets the charts' parameters and writes its numbers.
(async () => {
  const { points, biases, links, charts } = JSON.parse(document.getElementById("explorer-data").textContent);
  const menu = (name) => document.getElementById(`choose-${name}`);
  const views = {};
  const offer = (name, values, first) => {
    const before = menu(name).value || first;
    menu(name).replaceChildren(...[...new Set(values)].map((value) => new Option(value, value)));
    if ([...menu(name).options].some((option) => option.value === before)) menu(name).value = before;
  };
  const value = (mean, half, unit) =>
    mean == null ? ["not measured", ""]
      : [`${mean.toFixed(1)}${half == null ? "" : ` ± ${half.toFixed(1)}`} ${unit}`,
         half == null ? "" : `${(mean - half).toFixed(1)} to ${(mean + half).toFixed(1)}`];
  const line = (words, mean, half, unit, rows) => {
    const tr = document.createElement("tr");
    tr.append(Object.assign(document.createElement("th"), { scope: "row", textContent: words }));
    for (const text of value(mean, half, unit)) tr.insertCell().textContent = text;
    const cell = tr.insertCell();
    for (const [name, n] of rows) {
      const text = `${name}.csv, row ${n + 1}`;
      cell.append(Object.assign(document.createElement("a"), { href: links[`${name} ${n}`], textContent: text }), " ");
    }
    return tr;
  };
  const draw = async (name, chosen) => {
    if (views[name]) {
      for (const [key, value] of Object.entries(chosen)) views[name].signal(key, value);
      return views[name].runAsync();
    }
    for (const param of charts[name].params) param.value = chosen[param.name];
    views[name] = (await vegaEmbed(`#${name}`, charts[name], { actions: false, renderer: "svg" })).view;
  };
  const show = async () => {
    const representation = menu("representation").value;
    const own = points.filter((p) => p.representation === representation);
    offer("strength", own.map((p) => p.strength), "3");
    const strength = menu("strength").value;
    const attacked = own.filter((p) => p.strength === strength);
    offer("attacker", attacked.map((p) => p.attacker));
    const attacker = menu("attacker").value;
    const bias = Number(menu("bias").value);
    const point = attacked.find((p) => p.attacker === attacker);
    const study = biases.find((b) => b.representation === representation && b.bias === bias);
    const swept = study ?? { rows: [] };
    const at = strength === "none" ? "" : ", at the chosen λ";
    const head = document.createElement("tr");
    for (const text of ["", "value", "95 % interval", "from"])
      head.append(Object.assign(document.createElement("th"), { scope: "col", textContent: text }));
    document.getElementById("chosen").replaceChildren(
      head,
      line("Verification (chance 50)", point.id, point.id_hw, "%", point.rows.slice(0, 1)),
      line(`Emotion read (chance ${point.chance.toFixed(1)})`, point.emotion, point.emotion_hw, "%", point.rows.slice(-1)),
      ...(point.diff == null ? [] : [line("Diff of emotion", point.diff, point.diff_hw, "%", point.rows.slice(-1))]),
      line(`Gap of the case study${at}`, swept.gap, swept.gap_hw, "points", swept.rows),
      line(`Accuracy of the case study${at}`, swept.acc, swept.acc_hw, "%", swept.rows),
    );
    await draw("plane", { representation, strength, attacker });
    await draw("case", { representation, bias });
  };
  const names = points.map((p) => p.representation);
  offer("representation", names, names.includes("SN") ? "SN" : names[0]);
  offer("bias", biases.map((b) => b.bias), "0.7");
  for (const name of ["representation", "strength", "attacker", "bias"]) menu(name).addEventListener("change", show);
  await show();
  document.getElementById("chosen").dataset.ready = "yes";
})();
