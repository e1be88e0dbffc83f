-- What sold best since a time, with what customers think of it.
SELECT p.id, p.name,
       sum(i.quantity) AS sold,
       printf('%.2f', sum(i.quantity * i.unit_price)) AS revenue,
       (SELECT avg(r.stars) FROM reviews r WHERE r.product_id = p.id) AS rating
FROM order_items i
JOIN orders o ON o.id = i.order_id
JOIN products p ON p.id = i.product_id
WHERE o.status <> 'cancelled' AND o.placed_at >= $since
GROUP BY p.id, p.name
ORDER BY sum(i.quantity) DESC, p.name
LIMIT $limit
