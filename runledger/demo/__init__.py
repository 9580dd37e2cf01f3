"""The tour: one night in January, recorded, judged, replayed and asked what-if."""
