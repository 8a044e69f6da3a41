# Replays the seeds of every fuzz target; a target without seeds is a failure.
set -u
failed=0 files=0 targets=0
[ -n "$FUZZ_TARGETS" ] || { echo "no fuzz targets yet"; exit 77; }
for target in $FUZZ_TARGETS; do
  corpus=$TIDINGS_SOURCE/tests/fuzz/corpus/$(basename "$target")
  n=$(find "$corpus" -type f 2>/dev/null | wc -l)
  [ "$n" -gt 0 ] || { echo "$target: no seeds in $corpus"; failed=$((failed + 1)); continue; }
  find "$corpus" -type f | xargs "$TIDINGS_BUILD/$target" || { echo "$target: FAILED"; failed=$((failed + 1)); }
  files=$((files + n)) targets=$((targets + 1))
done
echo "count: fuzz seeds replayed: $files in $targets targets, $failed failed"
[ "$failed" = 0 ]
