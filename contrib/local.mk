# contrib/
EXTRA_DIST += contrib/demo/demo.py contrib/demo/course.yaml contrib/demo/timetable.eml
