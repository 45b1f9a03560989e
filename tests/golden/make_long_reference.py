#!/usr/bin/env python3
"""What the tiny models of this folder compute over more tokens than golden.json has.

    python make_long_reference.py [--only NAME ...]

Writes tiny/<name>/long.json for the models below.  Needs what make_reference.py needs, and computes as it does: float32,
one thread, every step from scratch, with no cache.

long.json
    continuations: {name: {prompt, greedy, logits, margins}}
        prompted: with the deep prompts of deep_prompts.safetensors [blocks, P, C] beside it, vector p of a block added to
        what goes into it at position p.
        greedy: the tokens that follow the prompt (no end-of-sequence stop); for each of them the best logit, and its
        distance to the second.
    scripts: {name: [{position, hypo_ids, ids, best, logits, margins}, ...]}
        Steps of a session of B sequences, the first of which is the prompt: truncate to `position`, let row i be what row
        hypo_ids[i] was (empty: all stay), append ids [B][T].  best, logits and margins [B] are of the last position.
    f64: the largest difference of a logit to the same network in float64, over all of it.
    min_margin: the least of all margins.

    Prompts come from the first seed whose margins are all at least `least_margin`, and 20 times the f64 figures of this
    file and of golden.json: a correct float32 program takes these tokens, in whatever order it adds.
"""
import argparse, copy, json, os

from make_reference import HERE, versions

VOCABULARY = 512
least_margin = 0.002

# Per model: continuations as (name, tokens of the prompt, new tokens), and whether it has the scripts and deep prompts.
MODELS = {
    "bloom": ([("of_40", 17, 40), ("of_100", 9, 100)], False),
    "llama": ([("of_40", 17, 40), ("of_100", 9, 100)], False),
    "llama3-rope": ([("of_40", 17, 40), ("of_100", 9, 100), ("behind_300", 300, 40)], True),
}
# Of the deep prompts: tokens, and how large they are.
PROMPT_TOKENS, PROMPT_SCALE = 8, 0.5


def last_two(model, ids):
    """Best ids, best logits and margins at the last position of ids [B, S]."""
    import torch
    with torch.no_grad():
        top = model(input_ids=ids, use_cache=False).logits[:, -1].topk(2, -1)
    return top.indices[:, 0], top.values[:, 0], top.values[:, 0] - top.values[:, 1]


def f64_of(model, exact, ids):
    import torch
    with torch.no_grad():
        a, b = (m(input_ids=ids, use_cache=False).logits for m in (model, exact))
    return (a.double() - b).abs().max().item()


def rounded(tensor):
    return [round(x, 6) for x in tensor.tolist()]


def draw(generator, *shape):
    import torch
    return torch.randint(4, VOCABULARY, shape, generator=generator)


def continuation(model, exact, generator, tokens, new):
    """The entry, its f64 figure and its least margin."""
    import torch
    ids = draw(generator, 1, tokens)
    logits, margins = [], []
    for _ in range(new):
        best, logit, margin = last_two(model, ids)
        logits += rounded(logit)
        margins += rounded(margin)
        ids = torch.cat([ids, best[:, None]], 1)
    entry = {"prompt": ids[0, :tokens].tolist(), "greedy": ids[0, tokens:].tolist(), "logits": logits, "margins": margins}
    # A text that runs in a circle would hide what was lost of it.
    varied = len(set(entry["greedy"])) >= new // 2
    return entry, f64_of(model, exact, ids), min(margins) if varied else 0.0


def script(model, exact, generator, plan, steps, batch=3, tokens=17):
    """`plan(step, length)` gives (tokens to go back, hypo_ids, tokens to append) of a step."""
    import torch
    entries, f64, length = [], 0.0, 0
    ids = draw(generator, batch, 0)
    for number in range(steps + 1):
        back, order, new = (0, [], tokens) if number == 0 else plan(number, length)
        length -= back
        appended = draw(generator, batch, new)
        ids = torch.cat([(ids[order] if order else ids)[:, :length], appended], 1)
        best, logit, margin = last_two(model, ids)
        f64 = max(f64, f64_of(model, exact, ids))
        entries.append({"position": length, "hypo_ids": order, "ids": appended.tolist(), "best": best.tolist(),
                        "logits": rounded(logit), "margins": rounded(margin)})
        length += new
    return entries, f64, min(min(e["margins"]) for e in entries)


def reordered(generator):
    """Rows change places at every third step from the first on, and at the last but one; at steps 7 and 25 one row takes
    another's."""
    import torch

    def plan(number, _length):
        if number % 3 != 1 and number != 39:
            return 0, [], 1
        order = [0, 1, 2]
        while order == [0, 1, 2]:
            order = torch.randperm(3, generator=generator).tolist()
        if number in (7, 25):
            order[0] = order[1]
        return 0, order, 1
    return plan


def rolled_back(generator):
    """Steps 1, 7, 20 and 39 go back by some tokens and on by some others; step 20 reorders too."""
    import torch

    def plan(number, _length):
        if number not in (1, 7, 20, 39):
            return 0, [], 1
        back, new = torch.randint(2, 7, (2,), generator=generator).tolist()
        return back, [2, 0, 1] if number == 20 else [], new
    return plan


def search(what, make, golden_f64):
    import torch
    for seed in range(4000):
        entry, f64, margin = make(torch.Generator().manual_seed(seed))
        if margin >= max(least_margin, 20 * f64, 20 * golden_f64):
            print(f"  {what}: seed {seed}, margin {margin:.4f}, f64 {f64:.1e}", flush=True)
            return entry, f64, margin
    raise SystemExit(f"{what}: no seed with such margins")


def with_prompts(model, prompts):
    """A copy of the model whose blocks get the deep prompts [blocks, P, C]."""
    changed = copy.deepcopy(model)
    for layer, prompt in zip(changed.model.layers, prompts):
        def add(_module, args, kwargs, prompt=prompt):
            # Every step is computed from scratch: row t is position t.
            hidden = (args[0] if args else kwargs["hidden_states"]).clone()
            count = min(hidden.shape[1], prompt.shape[0])
            hidden[:, :count] += prompt[:count].to(hidden.dtype)
            return ((hidden, *args[1:]), kwargs) if args else (args, {**kwargs, "hidden_states": hidden})
        layer.register_forward_pre_hook(add, with_kwargs=True)
    return changed


def write(path, result):
    """One continuation or step a line."""
    one_line = lambda x: json.dumps(x, separators=(",", ":"))
    with open(path, "w", encoding="utf-8") as f:
        f.write("{\n")
        for key in ("name", "versions", "f64", "min_margin"):
            f.write(f' "{key}": {one_line(result[key])},\n')
        f.write(' "continuations": {\n')
        f.write(",\n".join(f'  "{k}": {one_line(v)}' for k, v in result["continuations"].items()))
        f.write('\n },\n "scripts": {\n')
        f.write(",\n".join(f'  "{k}": [\n   ' + ",\n   ".join(map(one_line, v)) + "\n  ]"
                           for k, v in result["scripts"].items()))
        f.write("\n }\n}\n")


def make(name):
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    folder = os.path.join(HERE, "tiny", name)
    golden_f64 = json.load(open(os.path.join(folder, "golden.json"), encoding="utf-8"))["f64"]["logits"]
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    exact = copy.deepcopy(model).to(torch.float64)
    print(name, flush=True)
    result = {"name": name, "versions": versions(), "f64": 0.0, "min_margin": float("inf"), "continuations": {}, "scripts": {}}

    def add(kind, key, build):
        result[kind][key], f64, margin = search(key, build, golden_f64)
        result["f64"], result["min_margin"] = max(result["f64"], f64), min(result["min_margin"], margin)

    continuations, with_scripts = MODELS[name]
    for key, tokens, new in continuations:
        add("continuations", key, lambda g: continuation(model, exact, g, tokens, new))
    if with_scripts:
        add("scripts", "reordered", lambda g: script(model, exact, g, reordered(g), steps=40))
        add("scripts", "rolled_back", lambda g: script(model, exact, g, rolled_back(g), steps=40))
        prompts = PROMPT_SCALE * torch.randn(
            model.config.num_hidden_layers, PROMPT_TOKENS, model.config.hidden_size, generator=torch.Generator().manual_seed(1))
        save_file({"deep_prompts": prompts}, os.path.join(folder, "deep_prompts.safetensors"))
        prompted, prompted_exact = with_prompts(model, prompts), with_prompts(exact, prompts)
        add("continuations", "prompted", lambda g: continuation(prompted, prompted_exact, g, 17, 40))
    write(os.path.join(folder, "long.json"), result)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="*")
    for name in parser.parse_args().only or MODELS:
        make(name)


if __name__ == "__main__":
    main()
