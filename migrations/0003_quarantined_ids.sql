-- A record that our own code failed on waits under an ID of its own, so that another record of its
-- event can wait beside it. An earlier release stored it under its event's ID.
update inbox set event_id = concat(event_id, '@', topic, '/', partition, '/', "offset")
where (outcome = 'quarantined' or outcome = 'parked' and kind = 'unread')
    and strpos(event_id, concat('@', topic, '/', partition, '/', "offset")) = 0;
