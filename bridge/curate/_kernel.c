/* The fast path of near-duplicate search: texts to sets of shingles, and the exact join of sets.
 *
 * Both do what tokens.py and near.py do in numpy and Python, with the same results; see there for what is meant.
 * Plain C without Python's headers: loaded with ctypes, so one library serves every version of Python.
 * Functions return 0, or -1 where there is no memory left.
 */

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#ifdef __GNUC__
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define PREFETCH(address) ((void)0)
#endif

static inline uint64_t mixed(uint64_t x) {
    x ^= x >> 32;
    x *= 0xd6e8feb86659fd93ULL;
    x ^= x >> 29;
    x *= 0xa0761d6478bd642fULL;
    return x ^ (x >> 32);
}

/* Room for `wanted` items, at least doubled each time it grows. */
static int grow(void **items, int64_t *room, int64_t wanted, size_t size) {
    if (wanted <= *room) return 0;
    int64_t larger = *room + *room / 2 > wanted ? *room + *room / 2 : wanted + 1024;
    void *moved = realloc(*items, (size_t)larger * size);
    if (!moved) return -1;
    *items = moved;
    *room = larger;
    return 0;
}

/* ---- texts to sets of shingles ---- */

enum { NONE, LETTER, ALONE, SPACE }; /* what a code point can be */

typedef struct {
    uint64_t place; /* where it first stands: a word in `bytes`, a shingle in `ids` */
    uint32_t length; /* of a word, in bytes; occurrences of a shingle */
} Entry;

typedef struct {
    uint64_t *slots; /* upper half of the hash, and the entry's number + 1 */
    uint64_t mask;
    Entry *entries;
    int64_t count, room;
} Table;

typedef struct {
    const uint8_t *classes;
    uint64_t seed;
    int n;
    Table words, shared;
    char *bytes; /* every different word once */
    int64_t used, bytes_room;
    uint32_t *ids; /* the words of all texts, as numbers from 1 on */
    int64_t id_count, id_room;
    int64_t *lengths; /* words of each text, at least n unless it has none */
    int64_t text_count, text_room;
    int64_t *sizes, *starts; /* the sets, see TokenSets */
    uint32_t *tokens;
    int64_t token_count, distinct;
} Texts;

static int table_make(Table *table, uint64_t slots) {
    table->slots = calloc(slots, sizeof(uint64_t));
    table->mask = slots - 1;
    return table->slots ? 0 : -1;
}

static int table_grow(Table *table, uint64_t (*hash)(const Texts *, const Entry *), const Texts *texts) {
    if ((uint64_t)table->count * 10 < (table->mask + 1) * 7) return 0;
    uint64_t slots = (table->mask + 1) * 2, *moved = calloc(slots, sizeof(uint64_t));
    if (!moved) return -1;
    for (int64_t i = 0; i < table->count; i++) {
        uint64_t h = hash(texts, &table->entries[i]), at = h & (slots - 1);
        while (moved[at]) at = (at + 1) & (slots - 1);
        moved[at] = (h & 0xffffffff00000000ULL) | (uint64_t)(i + 1);
    }
    free(table->slots);
    table->slots = moved;
    table->mask = slots - 1;
    return 0;
}

static int table_append(Table *table, uint64_t at, uint64_t h, uint64_t place, uint32_t length) {
    if (grow((void **)&table->entries, &table->room, table->count + 1, sizeof(Entry))) return -1;
    table->entries[table->count] = (Entry){place, length};
    table->slots[at] = (h & 0xffffffff00000000ULL) | (uint64_t)(++table->count);
    return 0;
}

static void table_free(Table *table) {
    free(table->slots);
    free(table->entries);
    memset(table, 0, sizeof *table);
}

static inline uint64_t hash_bytes(uint64_t seed, const char *at, int64_t length) {
    uint64_t h = seed ^ (uint64_t)length, part;
    for (; length >= 8; length -= 8, at += 8) {
        memcpy(&part, at, 8);
        h = (h ^ part) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 31;
    }
    part = 0;
    memcpy(&part, at, (size_t)length);
    return mixed(h ^ part);
}

static inline uint64_t hash_ids(uint64_t seed, const uint32_t *ids, int n) {
    uint64_t h = seed;
    for (int k = 0; k < n; k++) {
        h = (h ^ ids[k]) * 0x9e3779b97f4a7c15ULL;
        h ^= h >> 32;
    }
    return mixed(h);
}

static uint64_t hash_word(const Texts *t, const Entry *e) { return hash_bytes(t->seed, t->bytes + e->place, e->length); }
static uint64_t hash_shingle(const Texts *t, const Entry *e) { return hash_ids(t->seed, t->ids + e->place, t->n); }

static int add_word(Texts *t, const char *word, int64_t length) {
    uint64_t h = hash_bytes(t->seed, word, length), at = h & t->words.mask, slot;
    if (grow((void **)&t->ids, &t->id_room, t->id_count + 1, sizeof(uint32_t))) return -1;
    for (; (slot = t->words.slots[at]); at = (at + 1) & t->words.mask) {
        if ((slot ^ h) >> 32) continue;
        uint32_t number = (uint32_t)slot;
        const Entry *e = &t->words.entries[number - 1];
        if (e->length == length && !memcmp(t->bytes + e->place, word, (size_t)length)) {
            t->ids[t->id_count++] = number;
            return 0;
        }
    }
    if (grow((void **)&t->bytes, &t->bytes_room, t->used + length, 1)) return -1;
    memcpy(t->bytes + t->used, word, (size_t)length);
    if (table_append(&t->words, at, h, (uint64_t)t->used, (uint32_t)length)) return -1;
    t->used += length;
    t->ids[t->id_count++] = (uint32_t)t->words.count;
    return table_grow(&t->words, hash_word, t);
}

/* The code point at `at`, in UTF-8 that Python has written, and where the next one begins. */
static inline uint32_t code_point(const uint8_t *at, const uint8_t **next) {
    if (at[0] < 0x80) return *next = at + 1, at[0];
    if (at[0] < 0xe0) return *next = at + 2, (uint32_t)(at[0] & 0x1f) << 6 | (at[1] & 0x3f);
    if (at[0] < 0xf0)
        return *next = at + 3, (uint32_t)(at[0] & 0x0f) << 12 | (uint32_t)(at[1] & 0x3f) << 6 | (at[2] & 0x3f);
    *next = at + 4;
    return (uint32_t)(at[0] & 7) << 18 | (uint32_t)(at[1] & 0x3f) << 12 | (uint32_t)(at[2] & 0x3f) << 6 | (at[3] & 0x3f);
}

static int add_text(Texts *t, const uint8_t *text, const uint8_t *end) {
    int64_t before = t->id_count;
    const uint8_t *start = NULL, *next;
    for (const uint8_t *at = text; at < end; at = next) {
        uint8_t kind = t->classes[code_point(at, &next)];
        if (kind == LETTER) {
            if (!start) start = at;
            continue;
        }
        if (start && add_word(t, (const char *)start, at - start)) return -1;
        start = NULL;
        if (kind == ALONE && add_word(t, (const char *)at, next - at)) return -1;
    }
    if (start && add_word(t, (const char *)start, end - start)) return -1;
    if (t->id_count == before)
        for (const uint8_t *at = text; at < end; at = next)
            if (t->classes[code_point(at, &next)] != SPACE && add_word(t, (const char *)at, next - at)) return -1;
    int64_t length = t->id_count - before;
    if (length && length < t->n) {
        if (grow((void **)&t->ids, &t->id_room, before + t->n, sizeof(uint32_t))) return -1;
        for (; length < t->n; length++) t->ids[t->id_count++] = 0;
    }
    if (grow((void **)&t->lengths, &t->text_room, t->text_count + 1, sizeof(int64_t))) return -1;
    t->lengths[t->text_count++] = length;
    return 0;
}

void texts_free(Texts *t) {
    if (!t) return;
    table_free(&t->words);
    table_free(&t->shared);
    free(t->bytes);
    free(t->ids);
    free(t->lengths);
    free(t->sizes);
    free(t->starts);
    free(t->tokens);
    free(t);
}

/* `classes` must live as long as the texts. */
Texts *texts_new(const uint8_t *classes, uint64_t seed, int n) {
    Texts *t = calloc(1, sizeof *t);
    if (!t) return NULL;
    t->classes = classes;
    t->seed = seed;
    t->n = n;
    if (table_make(&t->words, 1 << 12)) {
        texts_free(t);
        return NULL;
    }
    return t;
}

int texts_add(Texts *t, const uint8_t *buffer, const int64_t *lengths, int64_t count) {
    for (int64_t i = 0; i < count; buffer += lengths[i++])
        if (add_text(t, buffer, buffer + lengths[i])) return -1;
    return 0;
}

/* Merge sort, with insertion below 16: no order of the input makes it slow. */
static void sort_ids(uint32_t *items, uint32_t *spare, int64_t count) {
    for (int64_t from = 0; from < count; from += 16) {
        int64_t to = from + 16 < count ? from + 16 : count;
        for (int64_t i = from + 1; i < to; i++) {
            uint32_t item = items[i];
            int64_t j = i;
            for (; j > from && items[j - 1] > item; j--) items[j] = items[j - 1];
            items[j] = item;
        }
    }
    uint32_t *source = items, *target = spare;
    for (int64_t run = 16; run < count; run *= 2) {
        for (int64_t from = 0; from < count; from += 2 * run) {
            int64_t middle = from + run < count ? from + run : count, to = middle + run < count ? middle + run : count;
            int64_t i = from, j = middle, k = from;
            while (i < middle && j < to) target[k++] = source[j] < source[i] ? source[j++] : source[i++];
            while (i < middle) target[k++] = source[i++];
            while (j < to) target[k++] = source[j++];
        }
        uint32_t *swap = source;
        source = target;
        target = swap;
    }
    if (source != items) memcpy(items, source, (size_t)count * sizeof(uint32_t));
}

/* Marks of two bits for every shingle's hash: never seen, seen, seen again; and how many were seen again. */
static uint8_t *seen_again(const Texts *t, int log2, int64_t *again) {
    uint8_t *marks = calloc((size_t)1 << (log2 - 2), 1);
    if (!marks) return NULL;
    const uint32_t *ids = t->ids;
    uint64_t places[64];
    for (int64_t i = 0; i < t->text_count; ids += t->lengths[i++]) {
        int64_t count = t->lengths[i] ? t->lengths[i] - t->n + 1 : 0;
        for (int64_t from = 0; from < count; from += 64) {
            int64_t some = count - from < 64 ? count - from : 64;
            for (int64_t k = 0; k < some; k++) {
                places[k] = hash_ids(t->seed, ids + from + k, t->n) >> (64 - log2);
                PREFETCH(marks + (places[k] >> 2));
            }
            for (int64_t k = 0; k < some; k++) {
                uint8_t *mark = marks + (places[k] >> 2), shift = (uint8_t)((places[k] & 3) * 2);
                uint8_t was = (*mark >> shift) & 3;
                if (was < 2) *mark = (uint8_t)(*mark + (1 << shift));
                *again += was == 1;
            }
        }
    }
    return marks;
}

/* Number those shingles that were seen again, and write each text's numbers to `tokens`; the others are only counted. */
static int intern(Texts *t, const uint8_t *marks, int log2) {
    int64_t room = 0;
    const uint32_t *ids = t->ids;
    uint64_t hashes[64];
    uint32_t firsts[64];
    for (int64_t i = 0; i < t->text_count; ids += t->lengths[i++]) {
        int64_t count = t->lengths[i] ? t->lengths[i] - t->n + 1 : 0;
        t->starts[i] = t->token_count;
        if (grow((void **)&t->tokens, &room, t->token_count + count, sizeof(uint32_t))) return -1;
        for (int64_t from = 0; from < count; from += 64) {
            int64_t some = count - from < 64 ? count - from : 64;
            for (int64_t k = 0; k < some; k++) {
                hashes[k] = hash_ids(t->seed, ids + from + k, t->n);
                PREFETCH(marks + (hashes[k] >> (66 - log2)));
                PREFETCH(t->shared.slots + (hashes[k] & t->shared.mask));
            }
            /* Each step touches what the one before has asked for, so that few wait for memory. */
            for (int64_t k = 0; k < some; k++) {
                firsts[k] = (uint32_t)t->shared.slots[hashes[k] & t->shared.mask];
                if (firsts[k]) PREFETCH(&t->shared.entries[firsts[k] - 1]);
            }
            for (int64_t k = 0; k < some; k++)
                if (firsts[k]) PREFETCH(t->ids + t->shared.entries[firsts[k] - 1].place);
            for (int64_t k = 0; k < some; k++) {
                uint64_t h = hashes[k], place = h >> (64 - log2), at = h & t->shared.mask, slot;
                if (((marks[place >> 2] >> ((place & 3) * 2)) & 3) < 2) {
                    t->sizes[i]++;
                    continue;
                }
                const uint32_t *shingle = ids + from + k;
                for (; (slot = t->shared.slots[at]); at = (at + 1) & t->shared.mask) {
                    if ((slot ^ h) >> 32) continue;
                    Entry *e = &t->shared.entries[(uint32_t)slot - 1];
                    if (!memcmp(t->ids + e->place, shingle, (size_t)t->n * sizeof(uint32_t))) {
                        e->length += e->length < UINT32_MAX;
                        break;
                    }
                }
                if (!slot) {
                    if (table_append(&t->shared, at, h, (uint64_t)(shingle - t->ids), 1)) return -1;
                    slot = (uint64_t)t->shared.count;
                    if (table_grow(&t->shared, hash_shingle, t)) return -1;
                }
                t->tokens[t->token_count++] = (uint32_t)slot - 1;
            }
        }
    }
    t->starts[t->text_count] = t->token_count;
    return 0;
}

/* Renumber by frequency, the most frequent first; sort each text's numbers, each once. */
static int rank(Texts *t) {
    int64_t count = t->shared.count, most = 0, longest = 0;
    for (int64_t i = 0; i < count; i++)
        if (t->shared.entries[i].length > most) most = t->shared.entries[i].length;
    int64_t *below = calloc((size_t)most + 2, sizeof(int64_t));
    uint32_t *ranks = malloc((size_t)(count + 1) * sizeof(uint32_t));
    for (int64_t i = 0; i < t->text_count; i++)
        if (t->starts[i + 1] - t->starts[i] > longest) longest = t->starts[i + 1] - t->starts[i];
    uint32_t *spare = malloc((size_t)(longest + 1) * sizeof(uint32_t));
    if (!below || !ranks || !spare) {
        free(below);
        free(ranks);
        free(spare);
        return -1;
    }
    for (int64_t i = 0; i < count; i++) below[t->shared.entries[i].length]++;
    t->distinct = count - (most ? below[1] : 0);
    for (int64_t k = most, sum = 0; k >= 1; k--) {
        int64_t here = below[k];
        below[k] = sum;
        sum += here;
    }
    for (int64_t i = 0; i < count; i++) ranks[i] = (uint32_t)below[t->shared.entries[i].length]++;
    table_free(&t->shared);
    int64_t kept = 0, start = 0;
    for (int64_t i = 0; i < t->text_count; i++) {
        int64_t end = t->starts[i + 1], from = kept;
        t->starts[i] = kept;
        for (int64_t k = start; k < end; k++) {
            uint32_t token = ranks[t->tokens[k]];
            if (token < t->distinct) t->tokens[kept++] = token;
            else t->sizes[i]++; /* its mark was another shingle's too */
        }
        sort_ids(t->tokens + from, spare, kept - from);
        int64_t different = from;
        for (int64_t k = from; k < kept; k++)
            if (k == from || t->tokens[k] != t->tokens[k - 1]) t->tokens[different++] = t->tokens[k];
        kept = different;
        t->sizes[i] += kept - from;
        start = end;
    }
    t->starts[t->text_count] = t->token_count = kept;
    free(below);
    free(ranks);
    free(spare);
    return 0;
}

int texts_finish(Texts *t) {
    table_free(&t->words);
    free(t->bytes);
    t->bytes = NULL;
    t->sizes = calloc((size_t)t->text_count + 1, sizeof(int64_t));
    t->starts = calloc((size_t)t->text_count + 1, sizeof(int64_t));
    if (!t->sizes || !t->starts) return -1;
    int log2 = 10;
    while (((int64_t)1 << log2) < t->id_count * 6 && log2 < 38) log2++;
    int64_t again = 0, slots = 1 << 12;
    uint8_t *marks = seen_again(t, log2, &again);
    if (!marks) return -1;
    while (slots * 5 < again * 10) slots *= 2;
    if (table_make(&t->shared, (uint64_t)slots) || grow((void **)&t->shared.entries, &t->shared.room, again, sizeof(Entry))) {
        free(marks);
        return -1;
    }
    int failed = intern(t, marks, log2);
    free(marks);
    free(t->ids);
    t->ids = NULL;
    return failed || rank(t) ? -1 : 0;
}

int64_t texts_count(const Texts *t) { return t->text_count; }
int64_t texts_tokens(const Texts *t) { return t->token_count; }
int64_t texts_distinct(const Texts *t) { return t->distinct; }

void texts_copy(const Texts *t, int64_t *sizes, int64_t *starts, uint32_t *tokens) {
    memcpy(sizes, t->sizes, (size_t)t->text_count * sizeof(int64_t));
    memcpy(starts, t->starts, (size_t)(t->text_count + 1) * sizeof(int64_t));
    memcpy(tokens, t->tokens, (size_t)t->token_count * sizeof(uint32_t));
}

/* Before texts_finish: the words of all texts as numbers, and every different word. */
int64_t texts_words(const Texts *t) { return t->words.count; }
int64_t texts_ids(const Texts *t) { return t->id_count; }
int64_t texts_bytes(const Texts *t) { return t->used; }

void texts_copy_words(const Texts *t, uint32_t *ids, int64_t *lengths, char *bytes, int64_t *word_lengths) {
    memcpy(ids, t->ids, (size_t)t->id_count * sizeof(uint32_t));
    memcpy(lengths, t->lengths, (size_t)t->text_count * sizeof(int64_t));
    memcpy(bytes, t->bytes, (size_t)t->used);
    for (int64_t i = 0; i < t->words.count; i++) word_lengths[i] = t->words.entries[i].length;
}

/* ---- the join ---- */

enum { GREEDY, COMPONENTS, PAIRS };

typedef struct {
    uint32_t turn, place; /* whose, and where in its set */
} Posting;

typedef struct {
    int64_t *rows; /* left, right, overlap; by turns */
    int64_t count, room;
} Pairs;

int64_t pairs_count(const Pairs *pairs) { return pairs->count; }
void pairs_copy(const Pairs *pairs, int64_t *rows) {
    memcpy(rows, pairs->rows, (size_t)pairs->count * 3 * sizeof(int64_t));
}
void pairs_free(Pairs *pairs) {
    if (pairs) free(pairs->rows);
    free(pairs);
}

/* How many of a set's rarest shared shingles any match must have one of. */
static inline int64_t prefix(int64_t size, int64_t shared, double threshold) {
    int64_t needed = (int64_t)ceil(threshold * (double)size - 1e-6);
    if (needed < 1) needed = 1;
    return shared < needed ? 0 : shared - needed + 1;
}

/* How many both have, given the places of the rarest one that both have; -1 as soon as it is below `needed`. */
static int64_t overlap_of(const uint32_t *x, int64_t i, const uint32_t *y, int64_t j, int64_t needed) {
    int64_t common = 1;
    i--, j--;
    while (i >= 0 && j >= 0) {
        if (common + 1 + (i < j ? i : j) < needed) return -1;
        if (x[i] == y[j]) common++, i--, j--;
        else if (x[i] > y[j]) i--;
        else j--;
    }
    return common < needed ? -1 : common;
}

static int64_t root_of(int64_t *parents, int64_t at) {
    while (parents[at] != at) at = parents[at] = parents[parents[at]];
    return at;
}

/* Sets by turns: set order[turn]. The first `first` are taken as kept without a look.
 * matches: of a greedy join the turn of the best match, or -1; of components the turn of the first member.
 * overlaps: of a greedy join, how many shingles the two have in common. */
int join(const int64_t *sizes, const int64_t *starts, const uint32_t *tokens, int64_t distinct, const int64_t *order,
         int64_t count, int64_t first, double threshold, int mode, int64_t *matches, int64_t *overlaps, Pairs **found) {
    int64_t *begins = calloc((size_t)distinct + 2, sizeof(int64_t));
    uint32_t *filled = calloc((size_t)distinct + 1, sizeof(uint32_t));
    int64_t *last = malloc((size_t)(count + 1) * sizeof(int64_t));
    Posting *postings = NULL;
    Pairs *pairs = calloc(1, sizeof *pairs);
    int result = -1;
    if (!begins || !filled || !last || !pairs) goto end;
    for (int64_t turn = 0; turn < count; turn++) {
        int64_t set = order[turn], shared = starts[set + 1] - starts[set];
        for (int64_t k = shared - prefix(sizes[set], shared, threshold); k < shared; k++)
            begins[tokens[starts[set] + k] + 1]++;
        last[turn] = -1;
        matches[turn] = mode == COMPONENTS ? turn : -1;
    }
    for (int64_t token = 0; token < distinct; token++) begins[token + 1] += begins[token];
    postings = malloc((size_t)(begins[distinct] + 1) * sizeof(Posting));
    if (!postings) goto end;
    for (int64_t turn = 0; turn < count; turn++) {
        int64_t set = order[turn], size = sizes[set], shared = starts[set + 1] - starts[set];
        const uint32_t *mine = tokens + starts[set];
        int64_t least = shared - prefix(size, shared, threshold);
        double best = 0, smallest = threshold * (double)size - 1e-6, largest = (double)size / threshold + 1e-6;
        for (int64_t k = shared - 1; turn >= first && k >= least; k--) {
            const Posting *here = postings + begins[mine[k]];
            for (uint32_t p = 0; p < filled[mine[k]]; p++) {
                int64_t other = here[p].turn, place = here[p].place;
                if (last[other] == turn) continue;
                last[other] = turn;
                int64_t theirs = order[other];
                double their_size = (double)sizes[theirs];
                if (their_size < smallest || their_size > largest) continue;
                if (mode == COMPONENTS && root_of(matches, turn) == root_of(matches, other)) continue;
                int64_t needed = (int64_t)ceil(threshold / (1 + threshold) * (double)(size + sizes[theirs]) - 1e-6);
                int64_t common = overlap_of(mine, k, tokens + starts[theirs], place, needed);
                if (common < 0) continue;
                double similarity = (double)common / (double)(size + sizes[theirs] - common);
                if (similarity < threshold) continue;
                if (mode == GREEDY) {
                    if (similarity > best || (similarity == best && other < matches[turn]))
                        best = similarity, matches[turn] = other, overlaps[turn] = common;
                } else if (mode == COMPONENTS) {
                    int64_t a = root_of(matches, turn), b = root_of(matches, other);
                    matches[a > b ? a : b] = a > b ? b : a;
                } else {
                    if (grow((void **)&pairs->rows, &pairs->room, pairs->count + 1, 3 * sizeof(int64_t))) goto end;
                    int64_t *row = pairs->rows + 3 * pairs->count++;
                    row[0] = other, row[1] = turn, row[2] = common;
                }
            }
        }
        if (mode == GREEDY && matches[turn] >= 0) continue; /* the others are compared with those kept only */
        for (int64_t k = least; k < shared; k++)
            postings[begins[mine[k]] + filled[mine[k]]++] = (Posting){(uint32_t)turn, (uint32_t)k};
    }
    if (mode == COMPONENTS)
        for (int64_t turn = 0; turn < count; turn++) matches[turn] = root_of(matches, turn);
    result = 0;
end:
    free(begins);
    free(filled);
    free(last);
    free(postings);
    if (result || mode != PAIRS) pairs_free(pairs);
    else *found = pairs;
    return result;
}

/* ---- pairs whose token_set_ratio may reach a cut (ratios.py) ---- */

enum { LETTERS = 48, BLOCKS = 256 };

/* Texts by length, as different words in order. */
typedef struct {
    int64_t count;
    const int64_t *starts; /* of each text's words */
    const int32_t *words;
    const int64_t *joined, *lengths; /* of the different words, joined; of the whole text */
} Side;

typedef struct {
    const int64_t *starts; /* where each word begins in */
    const int32_t *letters; /* those of all words, as numbers from 1 on; 0 is a space */
    const uint8_t *kinds; /* the bin of each of these */
} Words;

/* One text to which items are compared: its different words, each followed by a space. */
typedef struct {
    int64_t number, length, blocks; /* of 64 letters */
    int64_t *of_word; /* the number of the last text that had a word, + 1 */
    int32_t *place; /* and where it stands in that text */
    uint64_t *masks; /* for each letter, where it stands: `blocks` numbers */
    uint64_t alive[BLOCKS]; /* where words stand that the item has not */
} Text;

/* Counts of letters in a few bins, up to 255, so that many are compared at once. */
static void count_letters(const Side *side, int64_t text, const Words *words, uint8_t *counts) {
    memset(counts, 0, LETTERS);
    for (int64_t k = side->starts[text]; k < side->starts[text + 1]; k++)
        for (int64_t at = words->starts[side->words[k]]; at < words->starts[side->words[k] + 1]; at++) {
            uint8_t *count = &counts[words->kinds[words->letters[at] - 1]];
            *count = (uint8_t)(*count + (*count < UINT8_MAX));
        }
}

static inline int32_t apart(const uint8_t *a, const uint8_t *b) {
    int32_t sum = 0;
    for (int k = 0; k < LETTERS; k++) sum += a[k] > b[k] ? a[k] - b[k] : b[k] - a[k];
    return sum;
}

static inline int64_t ones_in(uint64_t x) {
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    return (int64_t)((((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL) * 0x0101010101010101ULL) >> 56);
}

static inline int has(const Text *text, int32_t word) { return text->of_word[word] == text->number + 1; }

/* The length of a word and the space behind it. */
static inline int64_t length_of(const Words *words, int32_t word) {
    return words->starts[word + 1] - words->starts[word] + 1;
}

static void kill(Text *text, int64_t from, int64_t length) {
    for (int64_t at = from, to = from + length; at < to;) {
        int64_t count = 64 - at % 64 < to - at ? 64 - at % 64 : to - at;
        text->alive[at / 64] &= ~((count == 64 ? ~0ULL : (1ULL << count) - 1) << (at % 64));
        at += count;
    }
}

/* Mark (or, if not `on`, forget) where the letters of a text stand. */
static void mark_letters(Text *text, const Side *side, const Words *words, int on) {
    int64_t at = 0;
    for (int64_t k = side->starts[text->number]; k < side->starts[text->number + 1]; k++) {
        int64_t from = words->starts[side->words[k]], to = words->starts[side->words[k] + 1];
        for (int64_t p = from; p <= to; p++, at++) {
            uint64_t *mask = text->masks + (p < to ? words->letters[p] : 0) * text->blocks + at / 64;
            *mask = on ? *mask | 1ULL << (at % 64) : 0;
        }
    }
}

/* Whether what only the text has becomes what only the item has with at most so many insertions and deletions: by the
 * length of the longest common subsequence, 64 letters at a time (Hyyro, "Bit-parallel LCS-length computation
 * revisited", 2004). After i letters of the item, a zero in the state is a letter of the text that both have.
 *
 * Let m and n be the lengths of both. An alignment that has used i letters of the item and j of the text costs at least
 * i + j - 2 * common(i, j) + |(n - i) - (m - j)|, whatever follows. That is lowest at j = i + m - n: what is too much
 * there is too much everywhere. And j further from there than `before` and `behind` is too much in any case. */
static int rest_within(Text *text, const Side *items, int64_t item, int64_t shared, const Words *words, double most) {
    int64_t m = text->length - shared, n = items->joined[item] + 1 - shared, stop = items->starts[item + 1];
    int64_t before = (int64_t)(most + (double)(m - n)) / 2 + 1, behind = (int64_t)(most + (double)(n - m)) / 2 + 1;
    int64_t i = 0, checked = 0, passed = 0, settled = 0, common = 0;
    uint64_t state[BLOCKS];
    if (text->blocks > BLOCKS) return 1;
    for (int64_t b = 0; b < text->blocks; b++) state[b] = text->alive[b] = ~0ULL;
    for (int64_t k = items->starts[item]; k < stop; k++)
        if (has(text, items->words[k])) kill(text, text->place[items->words[k]], length_of(words, items->words[k]));
    for (int64_t k = items->starts[item], next = k; k < stop; k++) {
        int32_t word = items->words[k];
        int64_t length = length_of(words, word), even = i + m - n, first = even > before ? (even - before) / 64 : 0;
        int64_t last = (even + length + behind + shared) / 64 + 1;
        if (has(text, word)) continue;
        if (last > text->blocks) last = text->blocks;
        for (; settled < first; settled++) common += ones_in(~state[settled]);
        for (int64_t at = words->starts[word], end = at + length; at < end; at++) {
            const uint64_t *mask = text->masks + (at + 1 < end ? words->letters[at] : 0) * text->blocks;
            uint64_t carry = 0;
            for (int64_t b = first; b < last; b++) {
                uint64_t x = state[b], u = x & mask[b] & text->alive[b], sum = x + u, more = sum + carry;
                carry = (sum < x) | (more < sum);
                state[b] = more | (x - u);
            }
        }
        i += length, even += length;
        if (even <= 0 || (i < checked + 16 && i < n)) continue;
        checked = i;
        /* Words that both have stand between; they are in both texts in the same order. */
        for (; next < stop; next++) {
            int32_t both = items->words[next];
            if (!has(text, both)) continue;
            if (text->place[both] > even + passed) break;
            passed += length_of(words, both);
        }
        int64_t here = common, end = even + passed;
        for (int64_t b = settled; b < end / 64; b++) here += ones_in(~state[b]);
        if (end % 64) here += ones_in(~state[end / 64] & ((1ULL << (end % 64)) - 1));
        if ((double)(2 * (i - here) + m - n) > most) return 0;
    }
    return 1;
}

/* For each word the items that have it: having[starts[word]] and on. */
static int postings_of(const Side *items, int64_t word_count, int64_t **starts, int32_t **having) {
    int64_t *at = *starts = calloc((size_t)word_count + 3, sizeof(int64_t));
    *having = malloc((size_t)(items->starts[items->count] + 1) * sizeof(int32_t));
    if (!at || !*having) return -1;
    for (int64_t k = 0; k < items->starts[items->count]; k++) at[items->words[k] + 2]++;
    for (int64_t word = 0; word < word_count; word++) at[word + 2] += at[word + 1];
    for (int64_t j = 0; j < items->count; j++)
        for (int64_t k = items->starts[j]; k < items->starts[j + 1]; k++)
            (*having)[at[items->words[k] + 1]++] = (int32_t)j;
    return 0;
}

/* Set `shared` to the lengths of all words (with a space behind each) that the text has in common with each item. */
static void compare_words(Text *text, const Side *texts, const Words *words, const int64_t *starts,
                          const int32_t *having, int64_t *shared, int64_t item_count) {
    int64_t at = 0;
    memset(shared, 0, (size_t)item_count * sizeof(int64_t));
    for (int64_t k = texts->starts[text->number]; k < texts->starts[text->number + 1]; k++) {
        int32_t word = texts->words[k];
        int64_t length = words->starts[word + 1] - words->starts[word] + 1;
        text->of_word[word] = text->number + 1;
        text->place[word] = (int32_t)at;
        at += length;
        for (int64_t p = starts[word]; p < starts[word + 1]; p++) shared[having[p]] += length;
    }
    text->length = at;
    text->blocks = (at + 63) / 64;
}

/* `runs` are pairs (text * items + item, ascending) that the guard lets pass whatever their lengths. */
int ratio_pairs(const Side *texts, const Side *items, int64_t word_count, const int64_t *word_starts,
                const int32_t *letters, int64_t letter_count, const uint8_t *kinds, int64_t longest, const int64_t *runs,
                int64_t run_count, double ratio, double least, Pairs **found) {
    Words words = {word_starts, letters, kinds};
    Text text = {.masks = NULL};
    int64_t most_blocks = longest / 64 + 1 < BLOCKS ? longest / 64 + 1 : BLOCKS;
    text.masks = calloc((size_t)((letter_count + 1) * most_blocks), sizeof(uint64_t));
    text.of_word = calloc((size_t)word_count + 1, sizeof(int64_t));
    text.place = malloc((size_t)(word_count + 1) * sizeof(int32_t));
    int64_t *shared = malloc((size_t)(items->count + 1) * sizeof(int64_t)), *starts = NULL;
    int32_t *having = NULL;
    uint8_t *theirs = malloc((size_t)(items->count + 1) * LETTERS), mine[LETTERS];
    Pairs *pairs = calloc(1, sizeof *pairs);
    double part = ratio / (2 - ratio);
    int64_t run = 0, low = 0, high = 0;
    int result = -1;
    if (!text.masks || !text.of_word || !text.place || !shared || !theirs || !pairs) goto end;
    if (postings_of(items, word_count, &starts, &having)) goto end;
    for (int64_t j = 0; j < items->count; j++) count_letters(items, j, &words, theirs + j * LETTERS);
    for (text.number = 0; text.number < texts->count; text.number++) {
        int64_t i = text.number, from = run;
        double length = (double)texts->lengths[i], left = (double)texts->joined[i];
        /* Both sides are sorted by length, so the guard leaves one stretch of items, and shared runs of words. */
        while (low < items->count && (double)items->lengths[low] < least * length) low++;
        if (high < low) high = low;
        while (high < items->count && length >= least * (double)items->lengths[high]) high++;
        while (run < run_count && runs[run] < (i + 1) * items->count) run++;
        if (low == high && run == from) continue;
        compare_words(&text, texts, &words, starts, having, shared, items->count);
        count_letters(texts, i, &words, mine);
        int marked = 0;
        for (int64_t step = low; step < high + run - from; step++) {
            int64_t j = step < high ? step : runs[from + step - high] - i * items->count;
            if (step >= high && low <= j && j < high) continue;
            double right = (double)items->joined[j];
            double most = (1 - ratio) * (left + right) + 1e-6, needed = part * (left < right ? left : right) - 1e-6;
            if ((double)(shared[j] - 1) <= needed) {
                if (left - right > most || right - left > most) continue;
                if (apart(mine, theirs + j * LETTERS) > most) continue;
                if (!marked && text.blocks <= BLOCKS) mark_letters(&text, texts, &words, 1);
                marked = 1;
                if (!rest_within(&text, items, j, shared[j], &words, most)) continue;
            }
            if (grow((void **)&pairs->rows, &pairs->room, pairs->count + 1, 3 * sizeof(int64_t))) goto end;
            int64_t *row = pairs->rows + 3 * pairs->count++;
            row[0] = i, row[1] = j, row[2] = 0;
        }
        if (marked && text.blocks <= BLOCKS) mark_letters(&text, texts, &words, 0);
    }
    *found = pairs;
    result = 0;
end:
    free(text.masks);
    free(text.of_word);
    free(text.place);
    free(shared);
    free(starts);
    free(having);
    free(theirs);
    if (result) pairs_free(pairs);
    return result;
}
