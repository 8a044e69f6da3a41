/* From the bytes of a zone file (TZif, RFC 8536) to the table that zone.c reads.
 *
 * Called once per zone: header, the block of data (the second one, with 64-bit
 * times, if the file has it), the footer, which is written out as transitions for
 * 400 years, and last a check that the table can be read in both directions.
 *
 * The bytes are foreign. What always holds: every read goes through a cursor that
 * knows what is left, and sizes are computed in 64 bits and capped before memory
 * is asked for. */

#include "tz/table.h"

#include <string.h>

#include "base/error.h"
#include "tz/civil.h"
#include "tz/rule.h"

/* Real zones have at most some 240 transitions and 20 types. */
enum { TRANSITIONS_MAX = 8192, TYPES_MAX = 250, NAMES_MAX = 4096 };

/* Transitions that can matter: zic writes -2^59 for "since ever", and no real
 * file looks further than the year 36,000. */
#define AT_MIN (-(INT64_C(1) << 59))
#define AT_MAX (INT64_C(1) << 40)

struct cursor {
  const uint8_t *p;
  size_t left;
};

struct header {
  uint8_t version;
  uint32_t isutcnt, isstdcnt, leapcnt, timecnt, typecnt, charcnt;
};

/* The zone being made. */
struct draft {
  GArray *at;       /* int64_t */
  GByteArray *kind; /* one more than `at` */
  GArray *types;    /* struct tz_type */
  GByteArray *names;
  struct tz_zone zone; /* only the cycle */
};

static bool fail(GError **error, const char *reason)
{
  g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "not a usable time zone file: %s", reason);
  return false;
}

/* The next LENGTH bytes, or NULL if there are fewer. */
static const uint8_t *take(struct cursor *c, uint64_t length)
{
  if (length > c->left) return NULL;
  const uint8_t *start = c->p;
  c->p += length;
  c->left -= (size_t)length;
  return start;
}

static uint32_t get32(const uint8_t *p)
{
  return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t get_time(const uint8_t *p, unsigned width)
{
  if (width == 4) return (int32_t)get32(p);
  return (int64_t)((uint64_t)get32(p) << 32 | get32(p + 4));
}

static bool read_header(struct cursor *c, struct header *h, GError **error)
{
  const uint8_t *p = take(c, 44);
  if (!p || memcmp(p, "TZif", 4)) return fail(error, "it does not begin with a TZif header");
  *h = (struct header){.version = p[4],
                       .isutcnt = get32(p + 20),
                       .isstdcnt = get32(p + 24),
                       .leapcnt = get32(p + 28),
                       .timecnt = get32(p + 32),
                       .typecnt = get32(p + 36),
                       .charcnt = get32(p + 40)};
  if (h->version && (h->version < '2' || h->version > '4')) return fail(error, "unknown TZif version");
  return true;
}

static uint64_t block_size(const struct header *h, unsigned width)
{
  return (uint64_t)h->timecnt * (width + 1) + (uint64_t)h->typecnt * 6 + h->charcnt +
         (uint64_t)h->leapcnt * (width + 4) + h->isstdcnt + h->isutcnt;
}

static bool check_header(const struct header *h, GError **error)
{
  if (h->timecnt > TRANSITIONS_MAX || h->typecnt > TYPES_MAX || h->charcnt > NAMES_MAX) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT,
                "time zone file: %u transitions, %u types and %u bytes of names are more than any real "
                "zone has",
                h->timecnt, h->typecnt, h->charcnt);
    return false;
  }
  if (h->leapcnt) return fail(error, "it counts leap seconds (a \"right\" zone)");
  if (!h->typecnt || !h->charcnt) return fail(error, "it has no local time type");
  if (h->isutcnt && h->isutcnt != h->typecnt) return fail(error, "UT indicators do not match its types");
  if (h->isstdcnt && h->isstdcnt != h->typecnt)
    return fail(error, "standard indicators do not match its types");
  return true;
}

static bool read_types(struct draft *draft, const struct header *h, const uint8_t *types,
                       const uint8_t *names, GError **error)
{
  if (names[h->charcnt - 1]) return fail(error, "an abbreviation does not end");
  for (uint32_t i = 0; i < h->typecnt; i++, types += 6) {
    struct tz_type type = {.offset = (int32_t)get32(types), .is_dst = types[4], .name = types[5]};
    if (types[4] > 1 || types[5] >= h->charcnt) return fail(error, "a local time type is out of range");
    if (type.offset < TZ_OFFSET_MIN || type.offset > TZ_OFFSET_MAX)
      return fail(error, "an offset from UTC is more than a day");
    g_array_append_val(draft->types, type);
  }
  g_byte_array_append(draft->names, names, h->charcnt);
  return true;
}

static bool read_transitions(struct draft *draft, const struct header *h, unsigned width,
                             const uint8_t *times, const uint8_t *kinds, GError **error)
{
  int64_t previous = INT64_MIN;
  g_byte_array_append(draft->kind, (const uint8_t[]){0}, 1);
  for (uint32_t i = 0; i < h->timecnt; i++) {
    int64_t at = get_time(times + (size_t)i * width, width);
    if (at <= previous) return fail(error, "transitions are not in ascending order");
    if (at < AT_MIN || at > AT_MAX) return fail(error, "a transition is too far away");
    if (kinds[i] >= h->typecnt) return fail(error, "a transition has no such type");
    g_array_append_val(draft->at, at);
    g_byte_array_append(draft->kind, &kinds[i], 1);
    previous = at;
  }
  return true;
}

static bool read_block(struct draft *draft, struct cursor *c, const struct header *h, unsigned width,
                       GError **error)
{
  if (!check_header(h, error)) return false;
  const uint8_t *p = take(c, block_size(h, width));
  if (!p) return fail(error, "it ends too early");
  const uint8_t *kinds = p + (size_t)h->timecnt * width;
  const uint8_t *types = kinds + h->timecnt;
  return read_types(draft, h, types, types + (size_t)h->typecnt * 6, error) &&
         read_transitions(draft, h, width, p, kinds, error);
}

static uint8_t add_type(struct draft *draft, const struct tz_rule *rule, bool is_dst)
{
  struct tz_type type = {rule->offsets[is_dst], is_dst, (uint16_t)draft->names->len};
  const char *name = rule->names[is_dst];
  g_byte_array_append(draft->names, (const uint8_t *)name, (guint)strlen(name) + 1);
  g_array_append_val(draft->types, type);
  return (uint8_t)(draft->types->len - 1);
}

struct change {
  int64_t at;
  int step; /* +1 to daylight saving time, -1 back */
};

static int compare_changes(const void *a, const void *b)
{
  const struct change *x = a, *y = b;
  return (x->at > y->at) - (x->at < y->at);
}

/* Appends the changes of YEARS years from FIRST that come after AFTER. Daylight
 * saving time is a count, not a flag: "all year" is written as periods that touch
 * (RFC 8536 section 3.3.1), and where they do nothing changes. */
static void write_rule_out(struct draft *draft, const struct tz_rule *rule, int32_t first, int32_t years,
                           int64_t after)
{
  g_autoptr(GArray) changes = g_array_new(false, false, sizeof(struct change));
  uint8_t kinds[2] = {add_type(draft, rule, false), add_type(draft, rule, true)};
  for (int32_t year = first; year < first + years; year++)
    for (int to_dst = 0; to_dst < 2; to_dst++) {
      struct change change = {tz_rule_instant(rule, year, to_dst), to_dst ? 1 : -1};
      g_array_append_val(changes, change);
    }
  g_array_sort(changes, compare_changes);
  int count = tz_rule_instant(rule, first, true) > tz_rule_instant(rule, first, false);
  for (guint i = 0; i < changes->len; i++) {
    const struct change *change = &g_array_index(changes, struct change, i);
    count += change->step;
    bool together = i + 1 < changes->len && change[1].at == change->at;
    uint8_t kind = kinds[count > 0];
    if (together || change->at <= after || draft->kind->data[draft->kind->len - 1] == kind) continue;
    g_array_append_val(draft->at, change->at);
    g_byte_array_append(draft->kind, &kind, 1);
  }
}

/* A footer without daylight saving time says what the last transition has said
 * already; only in a file without transitions is it news. */
static void use_plain_rule(struct draft *draft, const struct tz_rule *rule)
{
  if (!draft->at->len) draft->kind->data[0] = add_type(draft, rule, false);
}

/* Writes the rule out from the last transition on, and for one whole year before
 * the 400 that repeat, so that a wall clock time near their beginning finds its
 * transition. A file without transitions means its rule for all time. */
static void use_rule(struct draft *draft, const struct tz_rule *rule)
{
  bool alone = !draft->at->len;
  int64_t last = alone ? 0 : g_array_index(draft->at, int64_t, draft->at->len - 1);
  int64_t year;
  tz_civil_from_days(last / 86400, &year, NULL, NULL);
  int32_t first = (int32_t)MAX(year, -10000) - 1;
  write_rule_out(draft, rule, first, 405, alone ? INT64_MIN : last);
  draft->zone.cycle = tz_days_from_civil(first + 3, 1, 1) * 86400;
  draft->zone.repeats = true;
  draft->zone.repeats_backwards = alone;
}

static bool read_footer(struct draft *draft, struct cursor *c, GError **error)
{
  struct tz_rule rule;
  const uint8_t *start = take(c, 1);
  if (!start || *start != '\n') return fail(error, "its footer is missing");
  const uint8_t *end = memchr(c->p, '\n', c->left);
  if (!end) return fail(error, "its footer does not end");
  size_t length = (size_t)(end - c->p);
  if (!length) return true;
  if (!tz_rule_parse((const char *)c->p, length, &rule))
    return fail(error, "its footer is not a POSIX TZ rule");
  if (rule.has_dst)
    use_rule(draft, &rule);
  else
    use_plain_rule(draft, &rule);
  return true;
}

/* A version 1 file is one block with 32-bit times; a newer one repeats all with 64
 * bits after it. */
static bool read_file(struct draft *draft, struct cursor *c, GError **error)
{
  struct header h;
  if (!read_header(c, &h, error)) return false;
  if (!h.version) return read_block(draft, c, &h, 4, error);
  if (!take(c, block_size(&h, 4))) return fail(error, "it ends too early");
  return read_header(c, &h, error) && read_block(draft, c, &h, 8, error) && read_footer(draft, c, error);
}

/* Fills WALL, and makes sure that no wall clock time falls to two transitions: no
 * place has ever changed its clocks twice within the hours that it moved them. */
static bool fill_wall(const struct draft *draft, int64_t *wall, GError **error)
{
  int64_t previous = INT64_MIN;
  for (guint i = 0; i < draft->at->len; i++) {
    int64_t at = g_array_index(draft->at, int64_t, i);
    int64_t before = g_array_index(draft->types, struct tz_type, draft->kind->data[i]).offset;
    int64_t after = g_array_index(draft->types, struct tz_type, draft->kind->data[i + 1]).offset;
    if (at + MIN(before, after) < previous) return fail(error, "two transitions are too close together");
    wall[i] = previous = at + MAX(before, after);
  }
  return true;
}

static struct tz_zone *finish(struct draft *draft, GError **error)
{
  g_autofree int64_t *wall = g_new(int64_t, draft->at->len + 1);
  if (!fill_wall(draft, wall, error)) return NULL;
  struct tz_zone *zone = g_memdup2(&draft->zone, sizeof draft->zone);
  zone->count = draft->at->len;
  zone->at = (int64_t *)(void *)g_array_free(g_steal_pointer(&draft->at), false);
  zone->wall = g_steal_pointer(&wall);
  zone->kind = g_byte_array_free(g_steal_pointer(&draft->kind), false);
  zone->types = (struct tz_type *)(void *)g_array_free(g_steal_pointer(&draft->types), false);
  zone->names = (char *)g_byte_array_free(g_steal_pointer(&draft->names), false);
  return zone;
}

static void draft_release(struct draft *draft)
{
  if (draft->at) g_array_free(draft->at, true);
  if (draft->kind) g_byte_array_free(draft->kind, true);
  if (draft->types) g_array_free(draft->types, true);
  if (draft->names) g_byte_array_free(draft->names, true);
}

struct tz_zone *tz_zone_parse(const uint8_t *bytes, size_t length, GError **error)
{
  if (length > TZ_ZONE_BYTES_MAX) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_LIMIT, "time zone file: more than %d bytes",
                TZ_ZONE_BYTES_MAX);
    return NULL;
  }
  struct cursor c = {bytes, length};
  struct draft draft = {.at = g_array_new(false, false, sizeof(int64_t)),
                        .kind = g_byte_array_new(),
                        .types = g_array_new(false, false, sizeof(struct tz_type)),
                        .names = g_byte_array_new()};
  struct tz_zone *zone = read_file(&draft, &c, error) ? finish(&draft, error) : NULL;
  draft_release(&draft);
  return zone;
}
