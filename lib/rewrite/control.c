/* The control fields and the marker of a workflow's mail. The marker is a token
 * whose destination is "journey.step.visit"; the step may hold dots itself. That of a
 * copy of a split mail has the mail's id and the destination "copy". */

#include "rewrite/control.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "mail/header.h"

enum { MAX_VALUE = 998 };

bool rewrite_control_is(const char *name, size_t length)
{
  static const char prefix[] = "X-Tidings-";
  return length >= sizeof prefix - 1 && g_ascii_strncasecmp(name, prefix, sizeof prefix - 1) == 0;
}

static char *take_value(const char *bytes, const struct mail_field *field)
{
  size_t length = MIN(field->value.end - field->value.start, (size_t)MAX_VALUE);
  char *value = g_strndup(bytes + field->value.start, length);
  for (char *c = value; *c; c++)
    if (*c == '\r' || *c == '\n' || *c == '\t') *c = ' ';
  return g_strstrip(value);
}

static enum rewrite_track track_of(const char *value)
{
  if (g_ascii_strcasecmp(value, "all") == 0) return REWRITE_TRACK_ALL;
  if (g_ascii_strcasecmp(value, "clicks") == 0) return REWRITE_TRACK_CLICKS;
  return REWRITE_TRACK_NONE;
}

void rewrite_control_read(const char *bytes, struct mail_range section, struct rewrite_control *control)
{
  *control = (struct rewrite_control){.track = REWRITE_TRACK_ALL};
  struct mail_header_iter iter;
  struct mail_field field;
  mail_header_init(&iter, bytes, section);
  while (mail_header_next(&iter, &field)) {
    if (!rewrite_control_is(bytes + field.name.start, field.name.end - field.name.start)) {
      control->denied |= rewrite_optout_read(bytes, &field);
      continue;
    }
    g_autofree char *value = take_value(bytes, &field);
    if (mail_field_is(bytes, &field, "X-Tidings-Track"))
      control->track = MIN(control->track, track_of(value));
    else if (mail_field_is(bytes, &field, "X-Tidings-List") && !control->list)
      control->list = g_steal_pointer(&value);
    else if (mail_field_is(bytes, &field, "X-Tidings-Campaign") && !control->campaign)
      control->campaign = g_steal_pointer(&value);
    else if (mail_field_is(bytes, &field, "X-Tidings-UTM"))
      *(g_ascii_strcasecmp(value, "yes") == 0 ? &control->utm : &control->no_utm) = true;
    else if (mail_field_is(bytes, &field, "X-Tidings-Send") && !control->send)
      control->send = g_steal_pointer(&value);
  }
}

void rewrite_control_clear(struct rewrite_control *control)
{
  g_clear_pointer(&control->list, g_free);
  g_clear_pointer(&control->campaign, g_free);
  g_clear_pointer(&control->send, g_free);
}

static const char copy_word[] = "copy";

bool rewrite_marker_seal(struct token_keys *keys, const struct rewrite_marker *marker, GString *out,
                         GError **error)
{
  size_t step = strnlen(marker->step, sizeof marker->step);
  if (!marker->copy && (step == 0 || step == sizeof marker->step)) {
    g_set_error(error, TIDINGS_ERROR, TIDINGS_ERROR_INPUT, "a marker needs a step of 1 to 64 bytes");
    return false;
  }
  g_autofree char *destination =
      marker->copy ? g_strdup(copy_word)
                   : g_strdup_printf("%" PRId64 ".%s.%" PRId64, marker->journey, marker->step, marker->visit);
  struct token token = {
      .kind = TOKEN_SEND,
      .tenant = marker->tenant,
      .mail = marker->copy,
      .destination = destination,
      .destination_length = strlen(destination),
  };
  return token_seal(keys, &token, out, error);
}

bool rewrite_marker_open(struct token_keys *keys, const char *text, struct rewrite_marker *marker)
{
  g_autoptr(GByteArray) scratch = g_byte_array_new();
  struct token token;
  if (!token_open(keys, text, strlen(text), &token, scratch, NULL) || token.kind != TOKEN_SEND) return false;
  g_autofree char *destination = g_strndup(token.destination, token.destination_length);
  if (strcmp(destination, copy_word) == 0) {
    *marker = (struct rewrite_marker){.tenant = token.tenant, .copy = token.mail};
    return token.mail != 0;
  }
  char *dot = strchr(destination, '.'), *last = strrchr(destination, '.');
  if (!dot || dot == last || (size_t)(last - dot - 1) >= sizeof marker->step) return false;
  gint64 journey, visit;
  *dot = *last = '\0';
  if (!g_ascii_string_to_signed(destination, 10, INT64_MIN, INT64_MAX, &journey, NULL) ||
      !g_ascii_string_to_signed(last + 1, 10, 0, INT64_MAX, &visit, NULL))
    return false;
  *marker = (struct rewrite_marker){.tenant = token.tenant, .journey = journey, .visit = visit};
  g_strlcpy(marker->step, dot + 1, sizeof marker->step);
  return true;
}
