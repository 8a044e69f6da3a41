# The modules of lib/, in the order of lib/LAYERS.
include lib/base/local.mk
include lib/event/local.mk
include lib/mail/local.mk
include lib/html/local.mk
include lib/liquid/local.mk
include lib/tz/local.mk
include lib/doc/local.mk
include lib/clock/local.mk
include lib/conf/local.mk
include lib/log/local.mk
include lib/proc/local.mk
include lib/http/local.mk
include lib/db/local.mk
include lib/journal/local.mk
include lib/zoneinfo/local.mk
include lib/control/local.mk
include lib/metrics/local.mk
